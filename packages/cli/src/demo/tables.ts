/** The demo's two tables. Pure. */

import { endpoint, type VirtualServerStats } from '@fairlead/ipvs';
import Table from 'cli-table3';
import type { Facts } from './facts.js';

const plain = {
  chars: Object.fromEntries(
    [
      'top',
      'top-mid',
      'top-left',
      'top-right',
      'bottom',
      'bottom-mid',
      'bottom-left',
      'bottom-right',
      'left',
      'left-mid',
    ]
      .concat(['mid', 'mid-mid', 'right', 'right-mid'])
      .map((name) => [name, '']),
  ),
  style: { 'padding-left': 0, 'padding-right': 2, head: [], border: [] },
};
const borderless = { ...plain, chars: { ...plain.chars, middle: '' } };

/** In the shape of `ipvsadm -Ln`, with the connections that each real server was given. */
export function virtualServerTable(servers: readonly VirtualServerStats[]): string {
  const table = new Table({
    ...borderless,
    head: ['virtual server', 'scheduler', 'real server', 'weight', 'connections'],
  });
  for (const server of servers) {
    const name = `${server.protocol.toUpperCase()} ${endpoint(server.address, server.port)}`;
    table.push([name, server.scheduler, '', '', '']);
    for (const { address, port, weight, connections } of server.realServers) {
      table.push(['', '', `→ ${endpoint(address, port)}`, weight, connections.toString()]);
    }
  }
  return table.toString();
}

/** Connections by real server (the kernel's count), and answers by Pod (what the client read). */
export function backendTable(requests: Facts['requests']): string {
  const backends = new Table({ ...borderless, head: ['real server', 'node', 'connections', ''] });
  for (const { address, port, node, own, connections } of requests.perBackend) {
    backends.push([endpoint(address, port), node, connections, own ? "the owner's own node" : '']);
  }
  const pods = new Table({ ...borderless, head: ['Pod', 'answers'] });
  for (const [pod, answers] of Object.entries(requests.perPod).sort()) pods.push([pod, answers]);
  return `${backends.toString()}\n\n${pods.toString()}`;
}
