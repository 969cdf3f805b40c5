import { expect } from 'chai';
import {
  CONFIG_MAPS,
  CRDS,
  configMap,
  SERVICES,
  service,
  TestApi,
  WIDGETS,
  widgetDefinition,
} from './api.spec.helpers.js';

const LEASES = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
const NODES = '/api/v1/nodes';
const MERGE = { 'content-type': 'application/merge-patch+json' };

describe('the verbs', () => {
  let api: TestApi;
  let nowMs: number;
  beforeEach(async () => {
    nowMs = Date.parse('2026-01-01T00:00:00.999Z');
    api = await TestApi.start({ now: () => nowMs });
  });
  afterEach(() => api.stop());

  describe('create', () => {
    it('sets what is the server’s to set', async () => {
      const { metadata } = await api.create(
        CONFIG_MAPS,
        configMap('a', {}, { uid: 'mine', generation: 7, managedFields: [{}] }),
      );
      expect(metadata).to.deep.include({ name: 'a', namespace: 'default', creationTimestamp: '2026-01-01T00:00:00Z' });
      expect(metadata.uid).to.match(/^[0-9a-f-]{36}$/);
      expect(metadata.resourceVersion).to.equal(String(api.server.store.revision));
      expect(metadata).not.to.have.any.keys('generation', 'managedFields');
    });

    it('makes a name from generateName', async () => {
      const { metadata } = await api.create(CONFIG_MAPS, { metadata: { generateName: 'web-' } });
      expect(metadata.name).to.match(/^web-[a-z0-9]{5}$/);
    });

    const refused: [string, object, number, string, RegExp][] = [
      ['a name that is taken', configMap('taken'), 409, 'AlreadyExists', /^configmaps "taken" already exists$/],
      ['no name', { metadata: {} }, 422, 'Invalid', /metadata.name: Required value: name or generateName is required/],
      [
        'a bad name',
        configMap('A_b'),
        422,
        'Invalid',
        /metadata.name: Invalid value: "A_b": a lowercase RFC 1123 subdomain/,
      ],
      [
        'a bad label',
        configMap('a', {}, { labels: { x: '-' } }),
        422,
        'Invalid',
        /metadata.labels: Invalid value: "-"/,
      ],
      [
        'a resourceVersion',
        configMap('a', {}, { resourceVersion: '5' }),
        400,
        'BadRequest',
        /resourceVersion should not be set/,
      ],
      [
        'another namespace',
        configMap('a', {}, { namespace: 'other' }),
        400,
        'BadRequest',
        /does not match the namespace/,
      ],
      [
        'another kind',
        { ...configMap('a'), kind: 'Secret' },
        400,
        'BadRequest',
        /Secret in version "v1" cannot be handled as a ConfigMap/,
      ],
      [
        'another version',
        { ...configMap('a'), apiVersion: 'v2' },
        400,
        'BadRequest',
        /does not match the expected API version/,
      ],
    ];
    for (const [name, object, status, reason, message] of refused) {
      it(`refuses ${name}`, async () => {
        await api.create(CONFIG_MAPS, configMap('taken'));
        const reply = await api.call('POST', CONFIG_MAPS, object);
        expect([reply.status, reply.body.reason]).to.deep.equal([status, reason]);
        expect(reply.body).to.deep.include({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code: status });
        expect(reply.body.message).to.match(message);
      });
    }

    it('tells every wrong field as a cause', async () => {
      const { body } = await api.call(
        'POST',
        SERVICES,
        service('a', { ports: [{ port: 0, protocol: 'X', targetPort: 1 }] }),
      );
      expect(body.message).to.match(
        /^Service "a" is invalid: \[spec\.ports\[0\]\.port: Invalid value: 0: .*, spec\.ports\[0\]\.protocol: /,
      );
      expect(body.details).to.deep.include({ name: 'a', kind: 'Service' });
      expect(body.details.causes).to.deep.equal([
        {
          reason: 'FieldValueInvalid',
          field: 'spec.ports[0].port',
          message: 'Invalid value: 0: must be between 1 and 65535, inclusive',
        },
        {
          reason: 'FieldValueNotSupported',
          field: 'spec.ports[0].protocol',
          message: 'Unsupported value: "X": supported values: "SCTP", "TCP", "UDP"',
        },
      ]);
    });

    it('warns of unknown fields unless told otherwise', async () => {
      const warned = await api.call('POST', CONFIG_MAPS, { ...configMap('a'), colour: 'blue' });
      expect(warned.status).to.equal(201);
      expect(warned.headers.warning).to.equal('299 - "unknown field \\"colour\\""');
      expect(warned.body).not.to.have.property('colour');
      const strict = await api.call('POST', `${CONFIG_MAPS}?fieldValidation=Strict`, {
        ...configMap('b'),
        colour: 'blue',
      });
      expect([strict.status, strict.body.message]).to.deep.equal([
        400,
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "colour"',
      ]);
    });

    it('stores nothing in a dry run', async () => {
      const before = api.server.store.revision;
      const reply = await api.call('POST', `${SERVICES}?dryRun=All`, service('a', { type: 'NodePort' }));
      expect(reply.status).to.equal(201);
      expect(reply.body.spec.ports[0].nodePort).to.be.within(30000, 32767);
      expect(api.server.store.revision).to.equal(before);
      expect((await api.get(`${SERVICES}/a`)).status).to.equal(404);
    });
  });

  describe('update', () => {
    it('replaces the object and keeps what the server set', async () => {
      const created = await api.create(CONFIG_MAPS, configMap('a', { x: '1' }));
      nowMs += 60_000;
      const { status, body } = await api.call('PUT', `${CONFIG_MAPS}/a`, configMap('a', { y: '2' }));
      expect(status).to.equal(200);
      expect(body.data).to.deep.equal({ y: '2' });
      expect(body.metadata).to.deep.include({
        uid: created.metadata.uid,
        creationTimestamp: created.metadata.creationTimestamp,
        namespace: 'default',
      });
    });

    it('refuses an old resourceVersion, also inside of a patch', async () => {
      const old = await api.create(CONFIG_MAPS, configMap('a'));
      await api.call('PATCH', `${CONFIG_MAPS}/a`, { data: { x: '1' } }, MERGE);
      const put = await api.call('PUT', `${CONFIG_MAPS}/a`, old);
      expect([put.status, put.body.reason, put.body.message]).to.deep.equal([
        409,
        'Conflict',
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again',
      ]);
      const { resourceVersion } = old.metadata;
      const patch = await api.call('PATCH', `${CONFIG_MAPS}/a`, { metadata: { resourceVersion }, data: null }, MERGE);
      expect([patch.status, patch.body.reason]).to.deep.equal([409, 'Conflict']);
      const tested = await api.call(
        'PATCH',
        `${CONFIG_MAPS}/a`,
        [{ op: 'replace', path: '/metadata/resourceVersion', value: resourceVersion }],
        { 'content-type': 'application/json-patch+json' },
      );
      expect(tested.status).to.equal(409);
    });

    it('refuses another uid: the object was deleted and made anew', async () => {
      await api.create(CONFIG_MAPS, configMap('a'));
      const { status, body } = await api.call('PUT', `${CONFIG_MAPS}/a`, configMap('a', {}, { uid: 'old' }));
      expect(status).to.equal(409);
      expect(body.message).to.match(/Precondition failed: UID in precondition: old/);
    });

    it('wants a resourceVersion where the real server does: Leases, custom resources', async () => {
      await api.create(LEASES, { metadata: { name: 'l' }, spec: { holderIdentity: 'a' } });
      const { status, body } = await api.call('PUT', `${LEASES}/l`, {
        metadata: { name: 'l' },
        spec: { holderIdentity: 'b' },
      });
      expect(status).to.equal(422);
      expect(body.message).to.include('metadata.resourceVersion: Invalid value: 0x0: must be specified for an update');
    });

    it('creates a Lease that is not there, but no ConfigMap', async () => {
      expect((await api.call('PUT', `${LEASES}/l`, { metadata: { name: 'l' }, spec: {} })).status).to.equal(201);
      expect((await api.call('PUT', `${CONFIG_MAPS}/a`, configMap('a'))).status).to.equal(404);
    });

    it('that changes nothing makes no new version and no event', async () => {
      const { metadata } = await api.create(CONFIG_MAPS, configMap('a', { x: '1' }));
      const { body } = await api.call('PATCH', `${CONFIG_MAPS}/a`, { data: { x: '1' } }, MERGE);
      expect(body.metadata.resourceVersion).to.equal(metadata.resourceVersion);
    });

    it('does not rename', async () => {
      await api.create(CONFIG_MAPS, configMap('a'));
      const { status, body } = await api.call('PUT', `${CONFIG_MAPS}/a`, configMap('b'));
      expect([status, body.message]).to.deep.equal([
        400,
        'the name of the object (b) does not match the name on the URL (a)',
      ]);
    });

    it('counts changes of spec, and of nothing else, in generation', async () => {
      const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } };
      await api.create(DEPLOYMENTS, {
        metadata: { name: 'd' },
        spec: { selector: { matchLabels: { a: 'b' } }, template },
      });
      const generation = async (patch: object, subresource = ''): Promise<number> =>
        (await api.call('PATCH', `${DEPLOYMENTS}/d${subresource}`, patch, MERGE)).body.metadata.generation;
      expect(await generation({ metadata: { labels: { x: 'y' } } })).to.equal(1);
      expect(await generation({ status: { replicas: 1 } }, '/status')).to.equal(1);
      expect(await generation({ spec: { replicas: 3 } })).to.equal(2);
      expect((await api.get(`${DEPLOYMENTS}/d`)).body.status).to.deep.equal({ replicas: 1 });
    });

    it('at /status of a built-in object leaves spec alone, and at the object status', async () => {
      await api.create(NODES, {
        metadata: { name: 'n1' },
        status: { addresses: [{ type: 'InternalIP', address: '10.0.0.1' }] },
      });
      const both = { spec: { unschedulable: true }, status: { phase: 'Running' } };
      const atStatus = (await api.call('PATCH', `${NODES}/n1/status`, both, MERGE)).body;
      expect([atStatus.spec, atStatus.status.phase]).to.deep.equal([{}, 'Running']);
      const atObject = (await api.call('PATCH', `${NODES}/n1`, { ...both, status: { phase: 'Pending' } }, MERGE)).body;
      expect([atObject.spec, atObject.status.phase]).to.deep.equal([{ unschedulable: true }, 'Running']);
    });

    it('at /status of a custom object leaves metadata alone too', async () => {
      const schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
      await api.create(CRDS, widgetDefinition(schema));
      await api.create(WIDGETS, { metadata: { name: 'w' }, status: { ignored: true } });
      expect((await api.get(`${WIDGETS}/w`)).body).not.to.have.property('status');
      const patch = { metadata: { labels: { a: 'b' } }, status: { ok: true } };
      const { body } = await api.call('PATCH', `${WIDGETS}/w/status`, patch, MERGE);
      expect(body.status).to.deep.equal({ ok: true });
      expect(body.metadata).not.to.have.property('labels');
      expect(body.metadata.generation).to.equal(1);
    });

    it('takes Lease times with six digits of a second only, as the real server does', async () => {
      const lease = (renewTime: string): object => ({ metadata: { name: 'l' }, spec: { renewTime } });
      const { status, body } = await api.call('POST', LEASES, lease('2026-01-01T00:00:00.123Z'));
      expect(status).to.equal(400);
      expect(body.message).to.include('parsing time "2026-01-01T00:00:00.123Z" as "2006-01-02T15:04:05.000000Z07:00"');
      expect((await api.create(LEASES, lease('2026-01-01T01:00:00.123456+01:00'))).spec.renewTime).to.equal(
        '2026-01-01T00:00:00.123456Z',
      );
    });
  });

  describe('delete', () => {
    it('answers with a Status that names what is gone', async () => {
      const { metadata } = await api.create(CONFIG_MAPS, configMap('a'));
      const { status, body } = await api.call('DELETE', `${CONFIG_MAPS}/a`);
      expect(status).to.equal(200);
      expect(body).to.deep.include({
        status: 'Success',
        details: { name: 'a', kind: 'configmaps', uid: metadata.uid },
      });
      expect((await api.call('DELETE', `${CONFIG_MAPS}/a`)).body).to.deep.include({ code: 404, reason: 'NotFound' });
    });

    it('honours preconditions', async () => {
      await api.create(CONFIG_MAPS, configMap('a'));
      const wrong = await api.call('DELETE', `${CONFIG_MAPS}/a`, { preconditions: { uid: 'old' } });
      expect([wrong.status, wrong.body.reason]).to.deep.equal([409, 'Conflict']);
      const stale = await api.call('DELETE', `${CONFIG_MAPS}/a`, { preconditions: { resourceVersion: '1' } });
      expect(stale.status).to.equal(409);
    });

    it('only marks an object with finalizers, which goes with the last of them', async () => {
      await api.create(CONFIG_MAPS, configMap('a', {}, { finalizers: ['x.dev/f'] }));
      const marked = await api.call('DELETE', `${CONFIG_MAPS}/a`, { propagationPolicy: 'Background' });
      expect(marked.body.metadata).to.deep.include({
        deletionTimestamp: '2026-01-01T00:00:00Z',
        deletionGracePeriodSeconds: 0,
      });
      const { revision } = api.server.store;
      await api.call('DELETE', `${CONFIG_MAPS}/a`);
      expect(api.server.store.revision).to.equal(revision);
      const more = await api.call(
        'PATCH',
        `${CONFIG_MAPS}/a`,
        { metadata: { finalizers: ['x.dev/f', 'x.dev/g'] } },
        MERGE,
      );
      expect(more.body.message).to.include('no new finalizers can be added if the object is being deleted');
      const watch = await api.watch(`${CONFIG_MAPS}?watch=1&resourceVersion=${revision}`);
      const last = await api.call('PATCH', `${CONFIG_MAPS}/a`, { metadata: { finalizers: null } }, MERGE);
      expect(last.status).to.equal(200);
      expect((await watch.next()).type).to.equal('DELETED');
      watch.close();
      expect((await api.get(`${CONFIG_MAPS}/a`)).status).to.equal(404);
    });

    it('of a collection takes what the selectors select', async () => {
      await api.create(CONFIG_MAPS, configMap('a', {}, { labels: { app: 'x' } }));
      await api.create(CONFIG_MAPS, configMap('b'));
      const { body } = await api.call('DELETE', `${CONFIG_MAPS}?labelSelector=app`);
      expect(body.items.map((item: { metadata: { name: string } }) => item.metadata.name)).to.deep.equal(['a']);
      expect((await api.get(CONFIG_MAPS)).body.items).to.have.length(1);
    });

    it('of a namespace waits for what finalizers hold in it', async () => {
      await api.create('/api/v1/namespaces', { metadata: { name: 'apps' } });
      const inside = '/api/v1/namespaces/apps/configmaps';
      await api.create(inside, configMap('free'));
      await api.create(inside, configMap('held', {}, { finalizers: ['x.dev/f'] }));
      const { body } = await api.call('DELETE', '/api/v1/namespaces/apps');
      expect(body.status.phase).to.equal('Terminating');
      expect((await api.call('DELETE', '/api/v1/namespaces/apps')).body.status.phase).to.equal('Terminating');
      const late = await api.call('POST', inside, configMap('late'));
      expect([late.status, late.body.reason]).to.deep.equal([403, 'Forbidden']);
      expect(late.body.message).to.include('because it is being terminated');
      expect((await api.get(inside)).body.items).to.have.length(1);
      await api.call('PATCH', `${inside}/held`, { metadata: { finalizers: null } }, MERGE);
      expect((await api.get('/api/v1/namespaces/apps')).status).to.equal(404);
    });
  });

  it('let a namespace with a finalizer of its own go last of all', async () => {
    await api.create('/api/v1/namespaces', { metadata: { name: 'apps', finalizers: ['x.dev/f'] } });
    await api.create('/api/v1/namespaces/apps/configmaps', configMap('a'));
    await api.call('DELETE', '/api/v1/namespaces/apps');
    expect((await api.get('/api/v1/namespaces/apps/configmaps')).body.items).to.deep.equal([]);
    const { status } = await api.call('PATCH', '/api/v1/namespaces/apps', { metadata: { finalizers: null } }, MERGE);
    expect(status).to.equal(200);
    expect((await api.get('/api/v1/namespaces/apps')).status).to.equal(404);
  });

  describe('paths', () => {
    for (const [method, path, status] of [
      ['GET', '/api/v1/nothings', 404],
      ['GET', '/apis/nothing.dev/v1/things', 404],
      ['GET', '/api/v1/services/web', 404],
      ['GET', '/api/v1/namespaces/default/nodes', 404],
      ['GET', '/api/v1/namespaces/default/services/kubernetes/nothing', 404],
      ['POST', '/api/v1/services', 405],
      ['PUT', CONFIG_MAPS, 405],
      ['OPTIONS', CONFIG_MAPS, 405],
      ['GET', '/nothing', 404],
      ['GET', '/api/v1/namespaces/default/services/%zz', 400],
    ] as const) {
      it(`${method} ${path} is ${status}`, async () => {
        const reply = await api.call(method, path, method === 'GET' ? undefined : configMap('a'));
        expect([reply.status, reply.body.kind]).to.deep.equal([status, 'Status']);
      });
    }

    it('takes no body that it cannot read', async () => {
      const json = await api.call('POST', CONFIG_MAPS, Buffer.from('{'));
      expect([json.status, json.body.reason]).to.deep.equal([400, 'BadRequest']);
      const cbor = await api.call('POST', CONFIG_MAPS, {}, { 'content-type': 'application/cbor' });
      expect([cbor.status, cbor.body.reason]).to.deep.equal([415, 'UnsupportedMediaType']);
      const accept = await api.get(CONFIG_MAPS, { accept: 'application/vnd.kubernetes.protobuf' });
      expect([accept.status, accept.body.reason]).to.deep.equal([406, 'NotAcceptable']);
      const yaml = await api.call('POST', CONFIG_MAPS, Buffer.from('metadata: { name: y }'), {
        'content-type': 'application/yaml',
      });
      expect(yaml.status).to.equal(201);
    });
  });
});
