/** Uninstalling from a host: removes all that is Fairlead's in its kernel, and nothing else. */
import { setTimeout } from 'node:timers/promises';
import { type Link, Rtnetlink } from '@fairlead/netlink';
import { deleteNetns, listNetns } from '@fairlead/raw-socket';
import { checkCapabilities, directorWork } from './director/capabilities.js';
import { checkName } from './director/director.js';
import { directorLink } from './director/link.js';
import { LOOPBACK_INDEX, type NetworkOptions } from './director/network.js';
import { inspectPair } from './director/pair.js';
import { editionsIn, TABLE } from './director/rules.js';
import { ForwardingError } from './errors.js';
import { NftCommand } from './nft.js';
import { indexOf, ROUTE_PROTOCOL, TABLE_BASE } from './routes/tables.js';
import { TABLE as CHANCE_TABLE } from './second-chance/rules.js';

export interface CleanupOptions extends Omit<NetworkOptions, 'mtu'> {
  /** See routes/tables.ts. */
  tableBase?: number;
  /** Only tell what would be removed. */
  dryRun?: boolean;
}

export interface Cleanup {
  /** What was removed, for people: `ipv4 rule 7703`, `network namespace fairlead`. */
  removed: string[];
  /** What bears our name and is not ours, and why it was left. */
  left: string[];
}

/**
 * To be called when no speaker runs. Open connections through this host's director break. Throws FL_PRIVILEGES,
 * FL_BAD_NAME, NetlinkError.
 */
export function cleanup(options: CleanupOptions): Cleanup {
  checkName(options.name);
  checkCapabilities(directorWork);
  const host = new Rtnetlink(options.hostNetns === undefined ? {} : { netns: options.hostNetns });
  try {
    // In the order of a packet's way, so that nothing is sent to where nobody is any more.
    const routing = [...removeRules(host, options), ...removeRoutes(host, options)];
    const chance = removeSecondChance(options);
    const director = removeDirector(host, options);
    return {
      removed: [...routing, ...chance.removed, ...director.removed],
      left: [...chance.left, ...director.left],
    };
  } finally {
    host.close();
  }
}

/** A speaker prolongs the life of its address twice a second (routes/dead-mans-switch.ts): watched for longer than a miss. */
const WATCH_MS = 2_500;

/** Whether a speaker runs on this host, by what its wire thread does in the kernel; takes 2.5 s if one did lately. */
export async function speakerRuns(options: Pick<NetworkOptions, 'hostInterface' | 'hostNetns'>): Promise<boolean> {
  const host = new Rtnetlink(options.hostNetns === undefined ? {} : { netns: options.hostNetns });
  const { host: end } = directorLink(options.hostInterface);
  const lifeLeft = () => {
    const index = host.link(end.name)?.index;
    if (index === undefined) return undefined;
    const addresses = host.addresses({ index, family: 'ipv4' });
    return addresses.find(({ address }) => address === end.ipv4)?.validLifetimeSeconds;
  };
  try {
    const before = lifeLeft();
    if (before === undefined) return false;
    await setTimeout(WATCH_MS);
    const after = lifeLeft();
    return after !== undefined && after > before - Math.floor(WATCH_MS / 1000);
  } finally {
    host.close();
  }
}

function removeRules(host: Rtnetlink, { tableBase = TABLE_BASE, dryRun }: CleanupOptions): string[] {
  const rules = (['ipv4', 'ipv6'] as const)
    .flatMap((family) => host.rules(family))
    .filter(({ protocol }) => protocol === ROUTE_PROTOCOL)
    .filter(({ priority, table }) => indexOf(table, tableBase) !== undefined || priority === tableBase - 1);
  for (const { family, priority, table, protocol } of dryRun ? [] : rules) {
    host.deleteRule({ family, priority, table, ...(protocol === undefined ? {} : { protocol }) });
  }
  return rules.map(({ family, priority }) => `${family} rule ${priority}`);
}

function removeRoutes(host: Rtnetlink, { tableBase = TABLE_BASE, dryRun }: CleanupOptions): string[] {
  const routes = host
    .routes()
    .filter(({ protocol, table }) => protocol === ROUTE_PROTOCOL && indexOf(table, tableBase) !== undefined);
  const [failure] = host.deleteRoutes(dryRun ? [] : routes).filter(({ error }) => error.code !== 'ESRCH');
  if (failure) throw failure.error;
  return routes.map(({ destination, prefixLength, table }) => `route ${destination}/${prefixLength} of table ${table}`);
}

function removeSecondChance({ hostNetns, dryRun }: CleanupOptions): Cleanup {
  const nft = new NftCommand(hostNetns);
  const removed: string[] = [];
  const left: string[] = [];
  for (const family of ['netdev', 'ip', 'ip6'] as const) {
    const name = `nftables table ${family} ${CHANCE_TABLE}`;
    const editions = editionsIn(nft.listTable(family, CHANCE_TABLE, { elements: false }));
    if (!editions) continue;
    if (editions.length === 0) {
      left.push(`the ${name} of this host is somebody else's`);
      continue;
    }
    if (!dryRun) nft.run(`delete table ${family} ${CHANCE_TABLE}\n`);
    removed.push(name);
  }
  return { removed, left };
}

function removeDirector(host: Rtnetlink, options: CleanupOptions): Cleanup {
  const { name, hostInterface, dryRun } = options;
  const link = directorLink(hostInterface);
  const hostEnd = host.link(link.host.name);
  const exists = listNetns().includes(name);
  const removed: string[] = [];
  const inside = exists ? new Rtnetlink({ netns: name }) : undefined;
  let ours: ReturnType<typeof whose>;
  try {
    ours = whose(options, hostEnd, inside);
  } catch (error) {
    if (!(error instanceof ForwardingError)) throw error;
    return { removed, left: [error.message] };
  } finally {
    inside?.close();
  }
  if (ours.pair) {
    if (!dryRun) host.deleteLink(hostEnd!.index);
    removed.push(`interface ${link.host.name}`);
  }
  if (ours.namespace) {
    if (!dryRun) deleteNetns(name);
    removed.push(`network namespace ${name}`);
  }
  return { removed, left: [] };
}

/** Throws ForwardingError for what bears our name and is somebody else's. */
function whose(
  { name, hostInterface }: CleanupOptions,
  hostEnd: Link | undefined,
  inside: Rtnetlink | undefined,
): { pair: boolean; namespace: boolean } {
  const link = directorLink(hostInterface);
  const pair = inspectPair({ director: name, link, hostEnd, directorLinks: inside?.links() ?? [] });
  if (pair === 'present' || !inside) return { pair: pair === 'present', namespace: inside !== undefined };
  // Without its interface, a director is known by its rules; and what is empty is what a speaker was interrupted at.
  const editions = editionsIn(new NftCommand(name).listTable('inet', TABLE, { elements: false }));
  const isOurs = editions ? editions.length > 0 : inside.addresses().every(({ index }) => index === LOOPBACK_INDEX);
  if (isOurs) return { pair: false, namespace: true };
  throw new ForwardingError(
    'FL_FOREIGN_NETNS',
    `the network namespace "${name}" is somebody else's: it has no interface to this host and no rules of Fairlead`,
  );
}
