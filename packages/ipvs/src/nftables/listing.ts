/**
 * Reads our table's JSON listing (libnftables-json(5)) back into virtual servers. Pure.
 *
 * A table that is not exactly what ruleset.ts writes (somebody edited it, or another release made it) gives undefined:
 * then it is replaced as a whole, in one transaction, rather than mended.
 */
import type { Protocol, RealServerStats, SchedulerFlag, VirtualServer, VirtualServerStats } from '../forwarder.js';
import type { NftObject } from '../nft.js';
import { realServerChain, serviceChain } from './ruleset.js';

/** What is read of a rule: the whole of all rules would be hundreds of megabytes. */
interface Rule {
  /** `name=value` and spaces between them. */
  comment: string;
  /** Where it can go. */
  targets: string[];
  realServer: { address: string; port: number; connections: bigint } | undefined;
}
interface Goto {
  goto: { target: string };
}
interface PrintedRule {
  chain: string;
  comment?: string;
  expr: (Partial<Goto> & {
    counter?: { packets: number };
    dnat?: { addr: string; port: number };
    vmap?: { data: string | { set: [number, Goto][] } };
  })[];
}
interface DispatchMap {
  name: string;
  elem?: [{ concat: [address: string, protocol: string | number, port: number] }, Goto][];
}

export type ParsedServer = VirtualServerStats & Pick<VirtualServer, 'flags' | 'persistenceSeconds'>;

/** nft prints names where /etc/protocols has them. */
const protocols: Record<string, Protocol> = { tcp: 'tcp', 6: 'tcp', udp: 'udp', 17: 'udp', sctp: 'sctp', 132: 'sctp' };

/** Virtual servers with their counters, in no particular order; undefined when the table is not as we write it. */
export function parseListing(objects: Iterable<NftObject>): ParsedServer[] | undefined {
  const listing = index(objects);
  const maps = [listing.maps.get('dispatch4'), listing.maps.get('dispatch6')];
  if (maps.includes(undefined) || listing.rules.get('prerouting')?.length !== 2) return undefined;
  let chainsKnown = 1; // prerouting
  const servers: ParsedServer[] = [];
  for (const [{ concat }, verdict] of maps.flatMap((map) => map!.elem ?? [])) {
    const server = parseServer(listing, concat, verdict.goto.target);
    if (!server) return undefined;
    servers.push(server);
    chainsKnown += 1 + server.realServers.length;
  }
  return chainsKnown === listing.chains ? servers : undefined;
}

interface Listing {
  /** How many there are. */
  chains: number;
  /** By chain. */
  rules: Map<string, Rule[]>;
  maps: Map<string, DispatchMap>;
  /** Chains of real servers by the chain of their virtual server. */
  realServers: Map<string, string[]>;
}

function index(objects: Iterable<NftObject>): Listing {
  const listing: Listing = { chains: 0, rules: new Map(), maps: new Map(), realServers: new Map() };
  for (const object of objects) {
    if ('rule' in object) {
      const rule = object.rule as PrintedRule;
      put(listing.rules, rule.chain, read(rule));
    } else if ('chain' in object) {
      const { name } = object.chain as { name: string };
      listing.chains++;
      if (name.startsWith('rs/')) put(listing.realServers, `vs/${name.split('/').slice(1, 4).join('/')}`, name);
    } else if ('map' in object) {
      const map = object.map as DispatchMap;
      listing.maps.set(map.name, map);
    }
  }
  return listing;
}

function put<T>(groups: Map<string, T[]>, key: string, item: T): void {
  const group = groups.get(key);
  if (group) group.push(item);
  else groups.set(key, [item]);
}

function read({ comment = '', expr }: PrintedRule): Rule {
  const dnat = expr.find((expression) => expression.dnat)?.dnat;
  const counter = expr.find((expression) => expression.counter)?.counter;
  return {
    comment,
    targets: expr.flatMap(({ goto, vmap }) => {
      if (goto) return [goto.target];
      return typeof vmap?.data === 'object' ? vmap.data.set.map(([, verdict]) => verdict.goto.target) : [];
    }),
    realServer: dnat && counter && { address: dnat.addr, port: dnat.port, connections: BigInt(counter.packets) },
  };
}

function parseServer(
  listing: Listing,
  [address, protocol, port]: [string, string | number, number],
  target: string,
): ParsedServer | undefined {
  const key = { address, port, protocol: protocols[protocol]! };
  const chain = serviceChain(key);
  const [choose, ...more] = listing.rules.get(chain) ?? [];
  const settings = parseSettings(choose);
  if (target !== chain || !choose || more.length > 0 || !settings) return undefined;

  const realServers: RealServerStats[] = [];
  const unchosen = new Set(choose.targets);
  for (const name of listing.realServers.get(chain) ?? []) {
    const real = parseRealServer(listing.rules.get(name) ?? []);
    if (!real || name !== realServerChain(key, real)) return undefined;
    if (unchosen.delete(name) !== real.weight > 0) return undefined;
    realServers.push(real);
  }
  return unchosen.size === 0 ? { ...key, ...settings, realServers } : undefined;
}

function parseRealServer([rule, ...more]: Rule[]): RealServerStats | undefined {
  const weight = words(rule).get('weight');
  if (!rule?.realServer || weight === undefined || more.length > 0) return undefined;
  const { address, port, connections } = rule.realServer;
  return { address, port, weight: Number(weight), connections };
}

function parseSettings(
  rule: Rule | undefined,
): Pick<ParsedServer, 'scheduler' | 'flags' | 'persistenceSeconds'> | undefined {
  const comment = words(rule);
  const [scheduler, flags, persistence] = ['scheduler', 'flags', 'persistence'].map((name) => comment.get(name));
  if (!scheduler) return undefined;
  return {
    scheduler,
    ...(flags ? { flags: flags.split(',') as SchedulerFlag[] } : {}),
    ...(persistence ? { persistenceSeconds: Number(persistence) } : {}),
  };
}

function words(rule: Rule | undefined): Map<string, string> {
  const pairs = rule?.comment.split(' ').map((word) => word.split('=')) ?? [];
  return new Map(pairs.map(([name = '', value = '']) => [name, value]));
}
