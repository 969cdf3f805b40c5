import type { V1Pod, V1Service } from '@kubernetes/client-node';
import { expect } from 'chai';
import { desiredSlices } from './desired-slices.js';

const service = (spec: V1Service['spec']): V1Service => ({
  metadata: { name: 'web', namespace: 'default', uid: 'u-web' },
  spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 8080 }], ...spec },
});

const pod = (
  name: string,
  more: { ready?: boolean; node?: string; deleting?: boolean; labels?: object } = {},
): V1Pod => ({
  metadata: {
    name,
    namespace: 'default',
    uid: `u-${name}`,
    labels: { app: 'web', ...more.labels },
    ...(more.deleting ? { deletionTimestamp: new Date(0) } : {}),
  },
  spec: { nodeName: more.node ?? 'n1', containers: [{ name: 'c', ports: [{ name: 'web', containerPort: 9090 }] }] },
  status: {
    phase: 'Running',
    podIP: `10.244.1.${name.slice(1)}`,
    conditions: [{ type: 'Ready', status: more.ready === false ? 'False' : 'True' }],
  },
});

describe('desiredSlices', () => {
  it('makes one endpoint for each selected pod, with its node and its conditions', () => {
    const [slice, ...others] = desiredSlices(service({}), [pod('p2', { node: 'n2' }), pod('p3', { ready: false })]);
    expect(others).to.deep.equal([]);
    expect(slice?.metadata?.labels).to.include({ 'kubernetes.io/service-name': 'web' });
    expect(slice?.ports).to.deep.equal([{ name: 'http', port: 8080, protocol: 'TCP' }]);
    expect(
      slice?.endpoints.map(({ addresses, conditions, nodeName }) => ({ addresses, conditions, nodeName })),
    ).to.deep.equal([
      { addresses: ['10.244.1.2'], conditions: { ready: true, serving: true, terminating: false }, nodeName: 'n2' },
      { addresses: ['10.244.1.3'], conditions: { ready: false, serving: false, terminating: false }, nodeName: 'n1' },
    ]);
  });

  it('says of a pod that is being deleted that it serves but is not ready', () => {
    const [slice] = desiredSlices(service({}), [pod('p2', { deleting: true })]);
    expect(slice?.endpoints[0]?.conditions).to.deep.equal({ ready: false, serving: true, terminating: true });
  });

  it('counts every pod as ready when the Service publishes addresses that are not', () => {
    const [slice] = desiredSlices(service({ publishNotReadyAddresses: true }), [pod('p2', { ready: false })]);
    expect(slice?.endpoints[0]?.conditions).to.include({ ready: true, serving: false });
  });

  it('leaves out pods of other labels, other namespaces, without an address, or that have ended', () => {
    const elsewhere = pod('p4');
    elsewhere.metadata!.namespace = 'other';
    const starting = pod('p5');
    starting.status = { phase: 'Pending' };
    const ended = pod('p6');
    ended.status!.phase = 'Succeeded';
    const [slice] = desiredSlices(service({}), [pod('p3', { labels: { app: 'db' } }), elsewhere, starting, ended]);
    expect(slice?.endpoints).to.deep.equal([]);
  });

  it('finds a named target port in the pod, and splits slices where pods number it differently', () => {
    const other = pod('p3');
    other.spec!.containers[0]!.ports![0]!.containerPort = 9191;
    const slices = desiredSlices(service({ ports: [{ port: 80, targetPort: 'web' }] }), [pod('p2'), other, pod('p4')]);
    expect(slices.map((s) => [s.metadata?.name, s.ports?.[0]?.port, s.endpoints.length])).to.deep.equal([
      ['web-0', 9090, 2],
      ['web-1', 9191, 1],
    ]);
  });

  it('puts at most 100 endpoints into one slice', () => {
    const pods = Array.from({ length: 201 }, (_, i) => pod(`p${i + 1}`));
    expect(desiredSlices(service({}), pods).map((s) => s.endpoints.length)).to.deep.equal([100, 100, 1]);
  });

  it('makes none for a Service without selector: its slices are somebody else’s', () => {
    const bare = service({});
    delete bare.spec!.selector;
    expect(desiredSlices(bare, [pod('p2')])).to.deep.equal([]);
  });
});
