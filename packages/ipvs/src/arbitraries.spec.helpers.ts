/** Generators for property tests: states as a planner could want them, few enough addresses that states overlap. */
import fc from 'fast-check';
import type { RealServer, VirtualServer } from './forwarder.js';
import { sortVirtualServers } from './order.js';

const vip = fc.constantFrom('10.77.0.200', '10.77.0.21', '10.77.0.9', 'fd00:77::200', 'fd00:77::9');
const hosts = {
  ipv4: ['10.77.0.11', '10.77.0.12', '10.77.0.9', '10.77.0.100'],
  ipv6: ['fd00:77::11', 'fd00:77::12', 'fd00:77::a'],
};

function realServers(family: 'ipv4' | 'ipv6'): fc.Arbitrary<RealServer[]> {
  return fc.uniqueArray(
    fc.record({
      address: fc.constantFrom(...hosts[family]),
      port: fc.constantFrom(30080, 30443),
      weight: fc.constantFrom(0, 1, 3),
    }),
    { selector: ({ address, port }) => `${address}/${port}`, maxLength: 5 },
  );
}

/** With the flags that IPVS gets in any case. */
const schedulings: Pick<VirtualServer, 'scheduler' | 'flags'>[] = [
  { scheduler: 'rr' },
  { scheduler: 'wlc' },
  { scheduler: 'dh' },
  { scheduler: 'sh', flags: ['sh-fallback', 'sh-port'] },
  { scheduler: 'mh', flags: ['mh-fallback'] },
  { scheduler: 'mh', flags: ['mh-fallback', 'mh-port'] },
];

export const virtualServers: fc.Arbitrary<VirtualServer[]> = fc
  .uniqueArray(
    vip.chain((address) =>
      fc.record({
        address: fc.constant(address),
        port: fc.constantFrom(80, 443),
        protocol: fc.constantFrom('tcp' as const, 'udp' as const, 'sctp' as const),
        scheduling: fc.constantFrom(...schedulings),
        persistence: fc.constantFrom({}, {}, { persistenceSeconds: 300 }, { persistenceSeconds: 10_800 }),
        realServers: realServers(address.includes(':') ? 'ipv6' : 'ipv4'),
      }),
    ),
    { selector: ({ address, port, protocol }) => `${address}/${port}/${protocol}`, maxLength: 6 },
  )
  .map((servers) =>
    sortVirtualServers(
      servers.map(({ scheduling, persistence, ...server }) => ({ ...server, ...scheduling, ...persistence })),
    ),
  );
