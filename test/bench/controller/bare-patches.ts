/**
 * A process: the client that the controller uses, without a controller. It writes statuses that were known beforehand: no
 * watch, no list, no allocation, no lock, no Events. The reference of this benchmark.
 */

import { KubeClient, services } from '@fairlead/kube';
import type { PatchRequest } from './messages.js';
import { bareStatus, NAMESPACE, serviceName } from './services.js';

const [server, allAtOnce] = process.argv.slice(2);
const kube = new KubeClient({ server: server! });

/** One that fails ends this process, and the measurement with it. */
function patch(n: number): void {
  const key = { namespace: NAMESPACE, name: serviceName(n) };
  void kube.patch(services, key, bareStatus(n), { type: 'merge', subresource: 'status', timeoutMs: 120_000 });
}

function patchAll(count: number): void {
  for (let n = 0; n < count; n++) patch(n);
}

process.on('message', (request: PatchRequest) => {
  if (request.do === 'patchAll') patchAll(request.count);
  else patch(request.n);
});
process.on('disconnect', () => process.exit(0));
if (allAtOnce) patchAll(Number(allAtOnce));
