/**
 * A process: the wire thread of a speaker, with a main thread that only passes messages on, or parses Services without a pause as that
 * of a speaker does when it lists ten thousand of them. `--node NAME --server URL`.
 */
import { parseArgs } from 'node:util';
import { SYSTEM_NAMESPACE } from '@fairlead/api';
import { KubeClient, namespaces } from '@fairlead/kube';
import { WireThread } from '@fairlead/speaker';
import { benchService } from '../controller/services.js';
import type { FromStation, ToStation } from './messages.js';

const TIMER_MS = 20;
/** As an informer lists them. */
const PAGE = 500;

const { values } = parseArgs({ options: { node: { type: 'string' }, server: { type: 'string' } } });
const say = (message: FromStation) => process.send!(message);

// Owners record themselves in Leases there.
const kube = new KubeClient({ server: values.server! });
await kube.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: SYSTEM_NAMESPACE } });
await kube.close();

const wire = new WireThread({
  node: values.node!,
  // There is none: nothing is forwarded.
  director: `${values.node}-director`,
  kube: { server: values.server! },
  timings: { leaseDurationMs: 3_000, renewPeriodMs: 1_000, retryPeriodMs: 200 },
  vrrp: { intervalMs: 100, mode: 'unicast' },
  preemptDelayMs: 60_000,
});
wire.on('died', (error) => {
  console.error(error);
  process.exit(1);
});
wire.on('message', (message) => {
  if (message.kind === 'ready') say({ is: 'ready' });
  if (message.kind === 'own') say({ is: 'owner', virtualRouter: message.virtualRouter });
  if (message.kind === 'error' || message.kind === 'vrrpFault') say({ is: 'error', message: message.message });
});

let lateness: number[] = [];
let rounds = 0;
function watchTimer(): void {
  const due = performance.now() + TIMER_MS;
  setTimeout(() => {
    lateness.push(performance.now() - due);
    watchTimer();
  }, TIMER_MS);
}

/** Parses page after page, over and over, and keeps the last copy of each as an informer does. */
function parse(services: number): void {
  const pages: string[] = [];
  for (let first = 0; first < services; first += PAGE) {
    const items = Array.from({ length: Math.min(PAGE, services - first) }, (_, n) => listed(first + n));
    pages.push(JSON.stringify({ kind: 'ServiceList', apiVersion: 'v1', metadata: { resourceVersion: '1' }, items }));
  }
  say({ is: 'busy', jsonBytes: pages.reduce((sum, page) => sum + page.length, 0) });
  const kept: unknown[] = [];
  const round = () => {
    pages.forEach((page, n) => {
      kept[n] = JSON.parse(page);
    });
    rounds++;
    setImmediate(round);
  };
  round();
}

/** With what an API server adds. */
function listed(n: number): object {
  const service = benchService(n) as { metadata: object; spec: object };
  const ip = `10.96.${n >> 8}.${n & 255}`;
  const managedFields = ['controller', 'kubectl'].map((manager) => ({
    manager,
    operation: 'Update',
    apiVersion: 'v1',
    time: '2026-01-01T00:00:00Z',
    fieldsType: 'FieldsV1',
    fieldsV1: { 'f:metadata': { 'f:annotations': {}, 'f:labels': {} }, 'f:spec': { 'f:ports': {}, 'f:selector': {} } },
  }));
  return {
    ...service,
    metadata: { ...service.metadata, uid: `uid-${n}`, resourceVersion: `${n}`, managedFields },
    spec: { ...service.spec, clusterIP: ip, clusterIPs: [ip], ipFamilies: ['IPv4'], sessionAffinity: 'None' },
    status: { loadBalancer: { ingress: [{ ip: `10.128.${n >> 8}.${n & 255}`, ipMode: 'Proxy' }] } },
  };
}

process.on('message', (request: ToStation) => {
  switch (request.do) {
    case 'tell':
      wire.send(request.message);
      break;
    case 'parse':
      parse(request.services);
      break;
    case 'report':
      say({ is: 'lateness', ms: lateness, rounds });
      lateness = [];
      rounds = 0;
      break;
  }
});
process.on('disconnect', () => process.exit(0));
watchTimer();
