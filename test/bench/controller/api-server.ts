/** A process: the lab's API server, which also tells its parent what was asked of it. Prints its URL on standard output. */

import { ApiServer, epochMs } from '@fairlead/lab';
import type { V1Service } from '@kubernetes/client-node';
import type { Addressed, ServerReport, ServerRequest } from './messages.js';
import { benchService } from './services.js';

/** How often it looks whether all Services have their address, once enough statuses have been written. */
const LOOK_MS = 2;

const server = new ApiServer({ serviceCidrs: ['10.64.0.0/12'], nodePortRange: [2_000, 65_000] });
const stored = server.store.collection('/services');

process.on('message', (request: ServerRequest) => {
  if (request.do === 'seed') {
    for (let n = 0; n < request.count; n++) server.seed(benchService(n) as Parameters<ApiServer['seed']>[0]);
    process.send!({ seeded: request.count });
  } else if (request.do === 'report') {
    process.send!(report());
  } else {
    const look = setInterval(() => {
      if ((server.counts.get('patch services/status') ?? 0) < request.count) return;
      if (addressed().length < request.count) return;
      clearInterval(look);
      process.send!({ atMs: epochMs() } satisfies Addressed);
    }, LOOK_MS);
  }
});
process.on('disconnect', () => process.exit(0));

function addressed(): string[] {
  return stored.entries().flatMap(({ object }) => {
    const { status, spec } = object as unknown as V1Service;
    return spec?.type === 'LoadBalancer' ? (status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip!) : [];
  });
}

function report(): ServerReport {
  return {
    counts: Object.fromEntries(server.counts),
    revision: server.store.revision,
    services: stored.entries().filter(({ object }) => (object as unknown as V1Service).spec?.type === 'LoadBalancer')
      .length,
    addresses: addressed(),
  };
}

const { url } = await server.listen({ host: '127.0.0.1', port: 0 });
console.log(url);
