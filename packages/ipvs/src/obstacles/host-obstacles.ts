/**
 * What on a host keeps VIP traffic from passing, though everything of ours is in place: things that belong to others and are
 * not ours to change. Each obstacle says what it is and what its owner can do.
 */
import { existsSync, readFileSync } from 'node:fs';
import { ChangeWatch, type Route, Rtnetlink, type Rule } from '@fairlead/netlink';
import { inNetns } from '@fairlead/raw-socket';
import { DEFAULT_HOST_INTERFACE } from '../director/link.js';
import { ROUTE_PROTOCOL, TABLE_BASE, tableOf } from '../routes/tables.js';
import { type DroppingChain, type ForwardingQuestion, HostFirewalls } from './firewalls.js';

export type ObstacleCode =
  /** A firewall of the host drops what it forwards between uplink and director. */
  | 'FL_HOST_FIREWALL'
  /** Somebody else's routes in a routing table of ours would count for all packets while this node is the owner. */
  | 'FL_FOREIGN_ROUTES'
  /** Somebody else's rule has the priority of one of ours. */
  | 'FL_FOREIGN_RULES'
  /** The uplink does not forward. */
  | 'FL_UPLINK_SYSCTL'
  /** The uplink is a bridge, and what kube-proxy translates is bridged back to where it came from. */
  | 'FL_BRIDGE_NETFILTER';

export interface Obstacle {
  code: ObstacleCode;
  /** What, where, and what to do about it. */
  message: string;
  /** VIPs can be served here all the same; it is this node as a real server that suffers. */
  harmless?: true;
}

export interface HostObstacleOptions {
  /** The interface to the director; default fairlead0. */
  hostInterface?: string;
  /** Where VIP traffic comes in. */
  uplinks: readonly string[];
  /** Those of VIPs in use. */
  families: readonly ('ipv4' | 'ipv6')[];
  examples?: ForwardingQuestion['examples'];
  /** Indexes of the virtual routers in use; see routes/tables.ts. */
  virtualRouters: readonly number[];
  tableBase?: number;
}

export class HostObstacles {
  readonly #hostNetns: string | undefined;
  readonly #host: Rtnetlink;
  readonly #watch: ChangeWatch;
  readonly #firewalls: HostFirewalls;
  /** What came of routes and rules when they were last read. */
  #routing: { question: string; obstacles: Obstacle[] } | undefined;

  /** `hostNetns`: the host's network namespace; by default that of this process. Throws NetlinkError. */
  constructor(hostNetns?: string) {
    this.#hostNetns = hostNetns;
    const where = hostNetns === undefined ? {} : { netns: hostNetns };
    this.#host = new Rtnetlink(where);
    this.#watch = new ChangeWatch({ ...where, of: ['routes', 'rules', 'links', 'addresses'], newAddresses: false });
    this.#firewalls = new HostFirewalls(hostNetns);
  }

  /** [] for none. Reads only, and of what may be large only what may have changed since it was last asked. Throws NftError, NetlinkError. */
  find(options: HostObstacleOptions): Obstacle[] {
    const { uplinks, families } = options;
    const hostInterface = options.hostInterface ?? DEFAULT_HOST_INTERFACE;
    return [
      ...this.#foreignRouting(options),
      ...uplinks.flatMap((uplink) => notForwarding(this.#hostNetns, uplink, families)),
      ...uplinks.flatMap((uplink) =>
        this.#host.link(uplink)?.kind === 'bridge' ? bridgedBack(this.#hostNetns, uplink, families) : [],
      ),
      ...firewalls(this.#firewalls.droppingChains({ ...options, hostInterface }), hostInterface),
    ];
  }

  close(): void {
    this.#host.close();
    this.#watch.close();
    this.#firewalls.close();
  }

  #foreignRouting({ families, virtualRouters, tableBase = TABLE_BASE }: HostObstacleOptions): Obstacle[] {
    const question = JSON.stringify([families, virtualRouters, tableBase]);
    const isUnchanged = !this.#watch.changed() && question === this.#routing?.question;
    if (isUnchanged) return this.#routing!.obstacles;
    this.#routing = undefined; // until all of it has been read
    const tables = new Set(virtualRouters.map((index) => tableOf(index, tableBase)));
    const rules = families.flatMap((family) => this.#host.rules(family));
    const obstacles = [...foreignRoutes(this.#host.routes(), tables), ...foreignRules(rules, tables)];
    this.#routing = { question, obstacles };
    return obstacles;
  }
}

function foreignRoutes(routes: readonly Route[], tables: ReadonlySet<number>): Obstacle[] {
  const foreign = routes.filter(({ table, protocol }) => tables.has(table) && protocol !== ROUTE_PROTOCOL);
  const [first] = foreign;
  if (!first) return [];
  const more = foreign.length > 1 ? ` and ${foreign.length - 1} more` : '';
  const message =
    `routing table ${first.table} is Fairlead's while it holds a virtual router, but somebody else keeps ${first.destination}/` +
    `${first.prefixLength}${more} there, which would count for all packets of an owner: move it to a table of another number`;
  return [{ code: 'FL_FOREIGN_ROUTES', message }];
}

function foreignRules(rules: readonly Rule[], tables: ReadonlySet<number>): Obstacle[] {
  const [first] = rules.filter(({ priority, protocol }) => tables.has(priority) && protocol !== ROUTE_PROTOCOL);
  if (!first) return [];
  const message =
    `routing rule ${first.priority} (lookup ${first.table}) is somebody else's and may come before Fairlead's of the same ` +
    'priority: give it another one';
  return [{ code: 'FL_FOREIGN_RULES', message }];
}

/** br_nf_pre_routing_finish in net/bridge/br_netfilter_hooks.c: "bridged DNAT", to a port that may not be the packet's own. */
function bridgedBack(
  hostNetns: string | undefined,
  uplink: string,
  families: readonly ('ipv4' | 'ipv6')[],
): Obstacle[] {
  return families.flatMap((family): Obstacle[] => {
    const name = `net/bridge/bridge-nf-call-${family === 'ipv4' ? 'iptables' : 'ip6tables'}`;
    if (settingOf(hostNetns, name) !== '1') return [];
    const message =
      `the uplink ${uplink} is a bridge, and ${name.replaceAll('/', '.')} is 1: kube-proxy's NodePorts on this node do not reach Pods ` +
      'on other nodes (their packets are bridged back to the port that they came from, which drops them); set it to 0, and in /etc/sysctl.d';
    return [{ code: 'FL_BRIDGE_NETFILTER', message, harmless: true }];
  });
}

function settingOf(hostNetns: string | undefined, name: string): string | undefined {
  const path = `/proc/sys/${name}`;
  const read = () => (existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined);
  return hostNetns === undefined ? read() : inNetns(hostNetns, read);
}

function notForwarding(
  hostNetns: string | undefined,
  uplink: string,
  families: readonly ('ipv4' | 'ipv6')[],
): Obstacle[] {
  return families.flatMap((family): Obstacle[] => {
    const name = `net/${family}/conf/${uplink}/forwarding`;
    if (settingOf(hostNetns, name) !== '0') return [];
    const message =
      `what comes in through ${uplink} is not forwarded, so none of it could reach the director: ${name.replaceAll('/', '.')} ` +
      'is 0; a Kubernetes node needs it as well: set it to 1, and in /etc/sysctl.d';
    return [{ code: 'FL_UPLINK_SYSCTL', message }];
  });
}

function firewalls(chains: readonly DroppingChain[], hostInterface: string): Obstacle[] {
  const byName = new Map(chains.map((chain) => [chain.name, chain]));
  return [...byName.values()].map(({ name, directions, commands }) => {
    const way = { in: `to ${hostInterface}`, out: `from ${hostInterface}` };
    const message =
      `the firewall of this host (${name}) drops what is forwarded ${directions.map((direction) => way[direction]).join(' and ')}, ` +
      `so no VIP could be served here; let it pass, and save that where your firewall's rules are kept: ${commands.join('; ')}`;
    return { code: 'FL_HOST_FIREWALL', message };
  });
}
