/**
 * Reads our table's JSON listing (libnftables-json(5)) back into virtual servers. Pure.
 *
 * A table that is not exactly what ruleset.ts writes (somebody edited it, or another release made it) gives undefined:
 * then it is replaced as a whole, in one transaction, rather than mended.
 */
import type { Protocol, RealServerStats, SchedulerFlag, VirtualServer, VirtualServerStats } from '../forwarder.js';
import type { NftObject } from '../nft.js';
import { realServerChain, serviceChain } from './ruleset.js';

interface Rule {
  chain: string;
  comment?: string;
  expr: Expression[];
}
interface Goto {
  goto: { target: string };
}
type Expression = Partial<Goto> & {
  counter?: { packets: number };
  dnat?: { addr: string; port: number };
  vmap?: { data: string | { set: [number, Goto][] } };
};
interface DispatchMap {
  name: string;
  elem?: [{ concat: [address: string, protocol: string | number, port: number] }, Goto][];
}

export type ParsedServer = VirtualServerStats & Pick<VirtualServer, 'flags' | 'persistenceSeconds'>;

/** nft prints names where /etc/protocols has them. */
const protocols: Record<string, Protocol> = { tcp: 'tcp', 6: 'tcp', udp: 'udp', 17: 'udp', sctp: 'sctp', 132: 'sctp' };

/** Virtual servers with their counters, in no particular order; undefined when the table is not as we write it. */
export function parseListing(objects: readonly NftObject[]): ParsedServer[] | undefined {
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
  return chainsKnown === listing.chains.length ? servers : undefined;
}

interface Listing {
  chains: string[];
  rules: Map<string, Rule[]>;
  maps: Map<string, DispatchMap>;
  /** Chains of real servers by the chain of their virtual server. */
  realServers: Map<string, string[]>;
}

function index(objects: readonly NftObject[]): Listing {
  const chains = ofKind<{ name: string }>(objects, 'chain').map(({ name }) => name);
  return {
    chains,
    rules: group(ofKind<Rule>(objects, 'rule'), ({ chain }) => chain),
    maps: new Map(ofKind<DispatchMap>(objects, 'map').map((map) => [map.name, map])),
    realServers: group(
      chains.filter((name) => name.startsWith('rs/')),
      (name) => `vs/${name.split('/').slice(1, 4).join('/')}`,
    ),
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
  const unchosen = targets(choose);
  for (const name of listing.realServers.get(chain) ?? []) {
    const real = parseRealServer(listing.rules.get(name) ?? []);
    if (!real || name !== realServerChain(key, real)) return undefined;
    if (unchosen.delete(name) !== real.weight > 0) return undefined;
    realServers.push(real);
  }
  return unchosen.size === 0 ? { ...key, ...settings, realServers } : undefined;
}

function parseRealServer([rule, ...more]: Rule[]): RealServerStats | undefined {
  const weight = comment(rule).get('weight');
  const dnat = rule?.expr.find((expression) => expression.dnat)?.dnat;
  const counter = rule?.expr.find((expression) => expression.counter)?.counter;
  if (!dnat || !counter || weight === undefined || more.length > 0) return undefined;
  return { address: dnat.addr, port: dnat.port, weight: Number(weight), connections: BigInt(counter.packets) };
}

/** Where the rule that chooses can go. */
function targets(rule: Rule): Set<string> {
  return new Set(
    rule.expr.flatMap(({ goto, vmap }) => {
      if (goto) return [goto.target];
      return typeof vmap?.data === 'object' ? vmap.data.set.map(([, verdict]) => verdict.goto.target) : [];
    }),
  );
}

function parseSettings(
  rule: Rule | undefined,
): Pick<ParsedServer, 'scheduler' | 'flags' | 'persistenceSeconds'> | undefined {
  const words = comment(rule);
  const [scheduler, flags, persistence] = ['scheduler', 'flags', 'persistence'].map((name) => words.get(name));
  if (!scheduler) return undefined;
  return {
    scheduler,
    ...(flags ? { flags: flags.split(',') as SchedulerFlag[] } : {}),
    ...(persistence ? { persistenceSeconds: Number(persistence) } : {}),
  };
}

/** `name=value` and spaces between them. */
function comment(rule: Rule | undefined): Map<string, string> {
  const words = rule?.comment?.split(' ').map((word) => word.split('=')) ?? [];
  return new Map(words.map(([name = '', value = '']) => [name, value]));
}

function ofKind<T>(objects: readonly NftObject[], kind: string): T[] {
  return objects.filter((object) => kind in object).map((object) => object[kind] as T);
}

function group<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const list = groups.get(key(item));
    if (list) list.push(item);
    else groups.set(key(item), [item]);
  }
  return groups;
}
