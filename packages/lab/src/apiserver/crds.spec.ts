import { expect } from 'chai';
import { CRDS, TestApi, WIDGETS, widgetDefinition } from './api.spec.helpers.js';

const MERGE = { 'content-type': 'application/merge-patch+json' };

const schema = {
  type: 'object',
  required: ['spec'],
  properties: {
    spec: {
      type: 'object',
      required: ['size'],
      properties: {
        size: { type: 'integer', minimum: 1, maximum: 10 },
        colour: { type: 'string', enum: ['red', 'blue'], default: 'red' },
        name: { type: 'string', pattern: '^[a-z]+$', maxLength: 5, minLength: 2 },
        nothing: { type: 'string', nullable: true },
        address: { type: 'string', format: 'ipv4' },
        parts: {
          type: 'array',
          maxItems: 2,
          items: { type: 'object', properties: { kind: { type: 'string' }, count: { type: 'integer', default: 1 } } },
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['kind'],
        },
        labels: { type: 'object', additionalProperties: { type: 'string' } },
        port: { 'x-kubernetes-int-or-string': true },
        free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        choice: {
          type: 'object',
          properties: { a: { type: 'string' }, b: { type: 'string' } },
          oneOf: [{ required: ['a'] }, { required: ['b'] }],
        },
      },
      'x-kubernetes-validations': [{ rule: 'self.size > 0' }],
    },
    status: { type: 'object', properties: { ready: { type: 'boolean' } } },
  },
};

const widget = (spec: object, name = 'w'): object => ({ metadata: { name }, spec });

describe('CustomResourceDefinitions', () => {
  let api: TestApi;
  beforeEach(async () => {
    api = await TestApi.start();
    await api.create(CRDS, widgetDefinition(schema));
  });
  afterEach(() => api.stop());

  it('are established and discovered at once', async () => {
    const { status } = (await api.get(`${CRDS}/widgets.example.com`)).body;
    const conditions = status.conditions.map(({ type, status: value }: Record<string, string>) => `${type}=${value}`);
    expect(conditions).to.deep.equal(['NamesAccepted=True', 'Established=True']);
    expect(status).to.deep.include({ storedVersions: ['v1'] });
    const { resources } = (await api.get('/apis/example.com/v1')).body;
    expect(resources.map(({ name }: { name: string }) => name)).to.deep.equal(['widgets', 'widgets/status']);
  });

  it('fill in defaults, also in lists', async () => {
    const { spec } = await api.create(WIDGETS, widget({ size: 3, parts: [{ kind: 'x' }] }));
    expect(spec).to.deep.equal({ size: 3, colour: 'red', parts: [{ kind: 'x', count: 1 }] });
  });

  it('drop unknown fields, but not where these are to be kept', async () => {
    const reply = await api.call(
      'POST',
      WIDGETS,
      widget({ size: 1, extra: 1, free: { any: { thing: 1 } }, labels: { a: 'b' } }),
    );
    expect(reply.body.spec).to.deep.equal({ size: 1, colour: 'red', free: { any: { thing: 1 } }, labels: { a: 'b' } });
    expect(reply.headers.warning).to.equal('299 - "unknown field \\"spec.extra\\""');
  });

  const refused: [string, object, string][] = [
    ['a missing field', {}, 'spec.size: Required value'],
    ['a wrong type', { size: 'x' }, 'spec.size in body must be of type integer: "string"'],
    ['a fraction for an integer', { size: 1.5 }, 'spec.size in body must be of type integer: "number"'],
    ['too little', { size: 0 }, 'spec.size in body should be greater than or equal to 1'],
    ['too much', { size: 11 }, 'spec.size in body should be less than or equal to 10'],
    [
      'what is not in the list of values',
      { size: 1, colour: 'green' },
      'spec.colour: Unsupported value: "green": supported values: "red", "blue"',
    ],
    ['what does not match', { size: 1, name: 'A1' }, "spec.name in body should match '^[a-z]+$'"],
    ['text too long', { size: 1, name: 'abcdef' }, 'spec.name: Too long: may not be more than 5 bytes'],
    ['text too short', { size: 1, name: 'a' }, 'spec.name in body should be at least 2 chars long'],
    ['another format', { size: 1, address: '::1' }, 'spec.address in body must be of type ipv4'],
    [
      'one key twice',
      { size: 1, parts: [{ kind: 'x' }, { kind: 'x' }] },
      'spec.parts[1]: Duplicate value: {"kind":"x"}',
    ],
    [
      'too many',
      { size: 1, parts: [{ kind: 'x' }, { kind: 'y' }, { kind: 'z' }] },
      'spec.parts: Too many: 3: must have at most 2 items',
    ],
    ['neither of two', { size: 1, choice: {} }, 'spec.choice in body must validate one and only one schema (oneOf)'],
    ['both of two', { size: 1, choice: { a: '', b: '' } }, 'must validate one and only one schema (oneOf)'],
    [
      'neither number nor text',
      { size: 1, port: true },
      'spec.port in body must be of type integer or string: "boolean"',
    ],
    [
      'a value of another type in a map',
      { size: 1, labels: { a: 1 } },
      'spec.labels.a in body must be of type string: "integer"',
    ],
  ];
  for (const [name, spec, message] of refused) {
    it(`refuse ${name}`, async () => {
      const { status, body } = await api.call('POST', WIDGETS, widget(spec));
      expect([status, body.details.kind, body.details.group]).to.deep.equal([422, 'Widget', 'example.com']);
      expect(body.message).to.match(/^Widget\.example\.com "w" is invalid: /);
      expect(body.message).to.include(message);
    });
  }

  it('take null for absent, unless it is allowed', async () => {
    const { spec } = await api.create(WIDGETS, widget({ size: 1, colour: null, nothing: null }));
    expect(spec).to.deep.equal({ size: 1, colour: 'red', nothing: null });
  });

  it('check status at /status only', async () => {
    await api.create(WIDGETS, widget({ size: 1 }));
    const { status, body } = await api.call('PATCH', `${WIDGETS}/w/status`, { status: { ready: 'yes' } }, MERGE);
    expect([status, body.details.causes[0].field]).to.deep.equal([422, 'status.ready']);
    expect((await api.call('PATCH', `${WIDGETS}/w/status`, { status: { ready: true } }, MERGE)).status).to.equal(200);
  });

  it('serve objects under every version', async () => {
    const definition = widgetDefinition(schema);
    const [v1] = definition.spec.versions;
    definition.spec.versions.push({ ...v1, name: 'v2', storage: false });
    await api.call('PATCH', `${CRDS}/widgets.example.com`, { spec: definition.spec }, MERGE);
    await api.create(WIDGETS.replace('/v1/', '/v2/'), {
      apiVersion: 'example.com/v2',
      kind: 'Widget',
      ...widget({ size: 1 }),
    });
    expect((await api.get(`${WIDGETS}/w`)).body.apiVersion).to.equal('example.com/v1');
    const v2 = (await api.get(WIDGETS.replace('/v1/', '/v2/'))).body;
    expect([v2.apiVersion, v2.items[0].apiVersion]).to.deep.equal(['example.com/v2', 'example.com/v2']);
    const watch = await api.watch(`${WIDGETS.replace('/v1/', '/v2/')}?watch=1`);
    expect((await watch.next()).object.apiVersion).to.equal('example.com/v2');
    watch.close();
  });

  it('take their objects with them', async () => {
    await api.create(WIDGETS, widget({ size: 1 }));
    const watch = await api.watch(`${WIDGETS}?watch=1`);
    await watch.next();
    await api.call('DELETE', `${CRDS}/widgets.example.com`);
    expect((await watch.rest()).map(({ type }) => type)).to.deep.equal(['DELETED']);
    expect((await api.get(WIDGETS)).status).to.equal(404);
  });

  it('are refused when their names or schemas do not hold together', async () => {
    const definition = widgetDefinition({
      type: 'object',
      properties: { a: { pattern: '[' }, b: { type: 'integer', default: 'x' } },
    });
    definition.metadata.name = 'gadgets.example.com';
    const { status, body } = await api.call('POST', CRDS, definition);
    expect(status).to.equal(422);
    for (const part of [
      'metadata.name: Invalid value: "gadgets.example.com": must be spec.names.plural+"."+spec.group',
      'properties[a].type: Required value',
      'properties[a].pattern: Invalid value: "[": must be a valid regular expression',
      'properties[b].default: Invalid value: "string"',
    ]) {
      expect(body.message).to.include(part);
    }
  });
});
