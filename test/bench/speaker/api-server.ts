/**
 * A process: the lab's API server with so many Services that have an address, EndpointSlices, a pool and two nodes in it, and the health port
 * of the other node's kube-proxy. `--listen HOST:PORT --services N --station IP --observer IP`. Says when it listens on standard output.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import { ApiServer } from '@fairlead/lab';
import { bareStatus, benchService, NAMESPACE, POOL, POOL_ADDRESSES, serviceName } from '../controller/services.js';

type Seed = Parameters<ApiServer['seed']>[0];

const { values } = parseArgs({
  options: {
    port: { type: 'string' },
    services: { type: 'string' },
    station: { type: 'string' },
    observer: { type: 'string' },
  },
});
const services = Number(values.services);
const server = new ApiServer({ serviceCidrs: ['10.64.0.0/12'], nodePortRange: [2_000, 65_000] });
const { parse } = createRequire(import.meta.url)('yaml') as { parse: (text: string) => Seed };
for (const file of ['namespace.yaml', 'crd.yaml']) {
  server.seed(parse(readFileSync(new URL(`../../../../deploy/${file}`, import.meta.url), 'utf8')));
}
const pool = { addresses: [POOL_ADDRESSES], election: 'vrrp' };
server.seed({
  apiVersion: 'fairlead.dev/v1alpha1',
  kind: 'AddressPool',
  metadata: { name: POOL },
  spec: pool,
  status: { conditions: [], inEffect: pool },
} as Seed);
for (const [name, address] of [
  ['station', values.station],
  ['observer', values.observer],
]) {
  server.seed({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: name!, labels: { 'kubernetes.io/hostname': name!, 'kubernetes.io/os': 'linux' } },
    status: {
      addresses: [{ type: 'InternalIP', address }],
      conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'ready' }],
    },
  } as unknown as Seed);
}
for (let n = 0; n < services; n++) {
  const service = benchService(n) as unknown as { metadata: object };
  const { metadata, status } = bareStatus(n) as { metadata: object; status: object };
  const merged = { ...service.metadata, ...metadata, managedFields: managedFields() };
  server.seed({ ...service, metadata: merged, status } as unknown as Seed, slice(n));
}

/** What an API server notes of who wrote what: a third of a Service. */
function managedFields(): object[] {
  return ['fairlead-controller', 'kubectl-client-side-apply'].map((manager) => ({
    manager,
    operation: 'Update',
    apiVersion: 'v1',
    time: '2026-01-01T00:00:00Z',
    fieldsType: 'FieldsV1',
    fieldsV1: {
      'f:metadata': { 'f:annotations': { '.': {}, 'f:fairlead.dev/address-pool': {} }, 'f:labels': { '.': {} } },
      'f:spec': { 'f:loadBalancerClass': {}, 'f:ports': { '.': {} }, 'f:selector': {}, 'f:type': {} },
    },
  }));
}

/** Two Pods, one on each node. */
function slice(n: number): Seed {
  const pod = (node: string, third: number) => ({
    addresses: [`10.244.${third}.${(n % 250) + 1}`],
    conditions: { ready: true, serving: true, terminating: false },
    nodeName: node,
    targetRef: { kind: 'Pod', namespace: NAMESPACE, name: `${serviceName(n)}-${node}`, uid: `${node}-${n}` },
  });
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `${serviceName(n)}-x`,
      namespace: NAMESPACE,
      labels: {
        'kubernetes.io/service-name': serviceName(n),
        'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
      },
    },
    addressType: 'IPv4',
    endpoints: [pod('station', 1), pod('observer', 2)],
    ports: [
      { name: 'http', port: 8080, protocol: 'TCP' },
      { name: 'https', port: 8443, protocol: 'TCP' },
    ],
  } as unknown as Seed;
}

createServer((_, response) => response.end()).listen(10_256, values.observer);
await server.listen({ host: values.observer!, port: Number(values.port) });
console.log('listening');
