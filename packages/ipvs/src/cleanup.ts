/** Uninstalling from a host: removes all that is Fairlead's in its kernel, and nothing else. */
import { Rtnetlink } from '@fairlead/netlink';
import { deleteNetns, listNetns } from '@fairlead/raw-socket';
import { directorLink } from './director/link.js';
import type { NetworkOptions } from './director/network.js';
import { inspectPair } from './director/pair.js';
import { ForwardingError } from './errors.js';
import { indexOf, ROUTE_PROTOCOL, TABLE_BASE } from './routes/tables.js';

export interface CleanupOptions extends Omit<NetworkOptions, 'mtu'> {
  /** See routes/tables.ts. */
  tableBase?: number;
}

export interface Cleanup {
  /** What was removed, for people: `rule 7703`, `network namespace fairlead`. */
  removed: string[];
  /** What bears our name and is not ours, and why it was left. */
  left: string[];
}

/** To be called when no speaker runs. Open connections through this host's director break. */
export function cleanup(options: CleanupOptions): Cleanup {
  const host = new Rtnetlink(options.hostNetns === undefined ? {} : { netns: options.hostNetns });
  try {
    // In the order of a packet's way, so that nothing is sent to where nobody is any more.
    const routing = [...removeRules(host, options), ...removeRoutes(host, options)];
    const director = removeDirector(host, options);
    return { removed: [...routing, ...director.removed], left: director.left };
  } finally {
    host.close();
  }
}

function removeRules(host: Rtnetlink, { tableBase = TABLE_BASE }: CleanupOptions): string[] {
  const rules = (['ipv4', 'ipv6'] as const)
    .flatMap((family) => host.rules(family))
    .filter(({ protocol, table }) => protocol === ROUTE_PROTOCOL && indexOf(table, tableBase) !== undefined);
  for (const { family, priority, table, protocol } of rules) {
    host.deleteRule({ family, priority, table, ...(protocol === undefined ? {} : { protocol }) });
  }
  return rules.map(({ family, priority }) => `${family} rule ${priority}`);
}

function removeRoutes(host: Rtnetlink, { tableBase = TABLE_BASE }: CleanupOptions): string[] {
  const routes = host
    .routes()
    .filter(({ protocol, table }) => protocol === ROUTE_PROTOCOL && indexOf(table, tableBase) !== undefined);
  const [failure] = host.deleteRoutes(routes).filter(({ error }) => error.code !== 'ESRCH');
  if (failure) throw failure.error;
  return routes.map(({ destination, prefixLength, table }) => `route ${destination}/${prefixLength} of table ${table}`);
}

function removeDirector(host: Rtnetlink, { name, hostInterface }: CleanupOptions): Cleanup {
  const link = directorLink(hostInterface);
  const hostEnd = host.link(link.host.name);
  const exists = listNetns().includes(name);
  const inside = exists ? new Rtnetlink({ netns: name }) : undefined;
  const removed: string[] = [];
  try {
    const pair = inspectPair({ director: name, link, hostEnd, directorLinks: inside?.links() ?? [] });
    if (pair === 'present') {
      host.deleteLink(hostEnd!.index);
      removed.push(`interface ${link.host.name}`);
    }
  } catch (error) {
    if (!(error instanceof ForwardingError)) throw error;
    return { removed, left: [error.message] };
  } finally {
    inside?.close();
  }
  if (exists) {
    deleteNetns(name);
    removed.push(`network namespace ${name}`);
  }
  return { removed, left: [] };
}
