/**
 * What each virtual server and real server has done, from the kernel's own table. It grows with the Services, so it is no part of a
 * usual scrape: only who asks for it gets it (`/metrics/virtual-servers`).
 */

import type { VirtualServerStats } from '@fairlead/ipvs';
import { Counter, Gauge, Registry } from 'prom-client';

/** More series than this are more than a Prometheus wants of one target: what comes after is left out, and said. */
export const MAX_REAL_SERVERS = 50_000;

const SERVER = ['vip', 'port', 'protocol', 'real_server'] as const;

/** In Prometheus' text format. */
export async function scrapeVirtualServers(stats: readonly VirtualServerStats[]): Promise<string> {
  return virtualServerRegistry(stats).metrics();
}

export function virtualServerRegistry(stats: readonly VirtualServerStats[]): Registry {
  const registry = new Registry();
  const registers = [registry];
  const name = (suffix: string) => `fairlead_speaker_real_server_${suffix}`;
  const weight = new Gauge({
    name: name('weight'),
    help: 'Weight in the kernel; 0 gets no new connections.',
    labelNames: SERVER,
    registers,
  });
  const connections = new Counter({
    name: name('connections_total'),
    help: 'Connections given to the real server since it was added.',
    labelNames: SERVER,
    registers,
  });
  const active = new Gauge({
    name: name('active_connections'),
    help: 'Established connections. Only with IPVS.',
    labelNames: SERVER,
    registers,
  });
  const bytes = new Counter({
    name: name('bytes_total'),
    help: 'Bytes by direction, seen from the client. Only with IPVS.',
    labelNames: [...SERVER, 'direction'],
    registers,
  });
  const leftOut = new Gauge({
    name: 'fairlead_speaker_real_servers_left_out',
    help: `Real servers beyond the first ${MAX_REAL_SERVERS}, which are not shown.`,
    registers,
  });
  let shown = 0;
  for (const { address: vip, port, protocol, realServers } of stats) {
    for (const server of realServers) {
      if (++shown > MAX_REAL_SERVERS) continue;
      const real = server.address.includes(':') ? `[${server.address}]` : server.address;
      const labels = { vip, port: String(port), protocol, real_server: `${real}:${server.port}` };
      weight.set(labels, server.weight);
      connections.inc(labels, Number(server.connections));
      if (server.activeConnections !== undefined) active.set(labels, server.activeConnections);
      if (server.inBytes !== undefined) bytes.inc({ ...labels, direction: 'in' }, Number(server.inBytes));
      if (server.outBytes !== undefined) bytes.inc({ ...labels, direction: 'out' }, Number(server.outBytes));
    }
  }
  leftOut.set(Math.max(0, shown - MAX_REAL_SERVERS));
  return registry;
}
