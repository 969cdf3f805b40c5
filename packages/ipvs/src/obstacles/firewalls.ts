/** The firewalls of a host, as far as they decide about what it forwards: reads their chains, and asks verdict.ts. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Nftables } from '@fairlead/netlink';
import { inNetns } from '@fairlead/raw-socket';
import { NftCommand } from '../nft.js';
import { type ForwardChain, NftReader } from '../nft-reader.js';
import { parseIptables } from './iptables-rules.js';
import { type NftRule, nftRule } from './nft-rules.js';
import { type Chains, type Packet, type Rule, verdict } from './verdict.js';
import { readXtMatches } from './xt.js';

/** A chain that drops what goes between uplink and director. */
export interface DroppingChain {
  /** `inet firewalld filter_FORWARD`, or `iptables-legacy FORWARD`. */
  name: string;
  /** Which way: into the director, out of it, or both. */
  directions: ('in' | 'out')[];
  /** What lets it pass. */
  commands: string[];
}

export interface ForwardingQuestion {
  /** Where VIP traffic comes in. */
  uplinks: readonly string[];
  /** The host's interface to the director. */
  hostInterface: string;
  families: readonly ('ipv4' | 'ipv6')[];
  /** A VIP and the address of another node, of each family as far as there is one: what rules for Pods do not concern. */
  examples?: Partial<Record<'ipv4' | 'ipv6', { vip: string; node?: string }>>;
}

type UplinkQuestion = Omit<ForwardingQuestion, 'uplinks'> & { uplink: string; hostNetns: string | undefined };

/** kube-proxy's tables (in its nftables mode) drop only what they find in their maps, and are too large to read for nothing. */
const HARMLESS_TABLE = 'kube-proxy';

export class HostFirewalls {
  readonly #netns: string | undefined;
  #nftables: Nftables | undefined;
  /** What came of nftables' chains when they were last read. */
  #seen: { question: string; generation: number; chains: DroppingChain[] } | undefined;

  /** `netns`: the host's network namespace; undefined: that of this process. */
  constructor(netns: string | undefined) {
    this.#netns = netns;
  }

  /** Those that do so for certain. Throws NftError, NetlinkError. */
  droppingChains(question: ForwardingQuestion): DroppingChain[] {
    const each = question.uplinks.map((uplink) => ({ ...question, uplink, hostNetns: this.#netns }));
    return [...this.#nftChains(each), ...each.flatMap(legacyChains)];
  }

  close(): void {
    this.#nftables?.close();
  }

  /** Not read again while nobody changes any ruleset. */
  #nftChains(each: readonly UplinkQuestion[]): DroppingChain[] {
    this.#nftables ??= new Nftables(this.#netns === undefined ? {} : { netns: this.#netns });
    const generation = this.#nftables.generation();
    const question = JSON.stringify(each);
    const isUnchanged = generation === this.#seen?.generation && question === this.#seen.question;
    if (!isUnchanged) this.#seen = { question, generation, chains: each.flatMap(nftChains) };
    return this.#seen!.chains;
  }
}

function nftChains(question: UplinkQuestion): DroppingChain[] {
  const nft = new NftCommand(question.hostNetns);
  const bases = forwardChains(question.hostNetns).filter(({ table }) => table !== HARMLESS_TABLE);
  return bases.flatMap((base) => {
    const { policy } = base;
    const chains = chainsOf(nft, question.hostNetns, base);
    const directions = droppedDirections(question, familiesOf(base.family, question), (packet) =>
      verdict(packet, { chain: base.name, policy }, chains),
    );
    const name = `${base.family} ${base.table} ${base.name}`;
    return directions.length === 0 ? [] : [{ name, directions, commands: nftCommands(base, question) }];
  });
}

function forwardChains(netns: string | undefined): ForwardChain[] {
  const reader = new NftReader(netns);
  try {
    return reader.forwardChains();
  } finally {
    reader.close();
  }
}

/** Rules are read when a packet gets there: of ten thousand chains that kube-proxy may have, a handful. */
function chainsOf(nft: NftCommand, netns: string | undefined, { family, table }: ForwardChain): Chains {
  const known = new Map<string, readonly Rule[] | undefined>();
  const read = (chain: string): readonly Rule[] | undefined => {
    const rules = nft.listChain(family, table, chain)?.flatMap(({ rule }) => (rule ? [rule as NftRule] : []));
    const isForeign = rules?.some(({ expr }) => expr.some((statement) => 'xt' in statement));
    const extensions = isForeign ? readXtMatches(netns, { family, table, chain }) : undefined;
    return rules?.map((rule) => nftRule(rule, extensions?.get(rule.handle) ?? []));
  };
  return (name) => {
    if (!known.has(name)) known.set(name, read(name));
    return known.get(name);
  };
}

function familiesOf(family: string, { families }: UplinkQuestion): ('ipv4' | 'ipv6')[] {
  return families.filter((asked) => family === 'inet' || family === (asked === 'ipv4' ? 'ip' : 'ip6'));
}

function droppedDirections(
  { uplink, hostInterface, examples }: UplinkQuestion,
  families: readonly ('ipv4' | 'ipv6')[],
  judge: (packet: Packet) => ReturnType<typeof verdict>,
): ('in' | 'out')[] {
  const ways = { in: { iifname: uplink, oifname: hostInterface }, out: { iifname: hostInterface, oifname: uplink } };
  const addresses = (direction: 'in' | 'out', family: 'ipv4' | 'ipv6') => {
    const { vip, node } = examples?.[family] ?? {};
    // Clients may be anywhere.
    const known = direction === 'in' ? { destination: vip } : { source: vip, destination: node };
    return Object.fromEntries(Object.entries(known).filter(([, address]) => address !== undefined));
  };
  return (['in', 'out'] as const).filter((direction) =>
    families.some(
      (family) => judge({ ...ways[direction], ...addresses(direction, family), family, mark: 0 }) === 'dropped',
    ),
  );
}

function nftCommands({ family, table, name }: ForwardChain, { hostInterface }: UplinkQuestion): string[] {
  if (table === 'filter' && name === 'FORWARD' && family !== 'inet') {
    return iptablesCommands(family === 'ip' ? 'iptables' : 'ip6tables', hostInterface);
  }
  if (table === 'firewalld') {
    return [`firewall-cmd --permanent --zone=trusted --add-interface=${hostInterface}`, 'firewall-cmd --reload'];
  }
  return ['iifname', 'oifname'].map(
    (side) => `nft insert rule ${family} ${table} ${name} ${side} ${hostInterface} counter accept`,
  );
}

function iptablesCommands(command: string, hostInterface: string): string[] {
  return ['-i', '-o'].map((side) => `${command} -I FORWARD ${side} ${hostInterface} -j ACCEPT`);
}

/** The kernel tells that iptables-legacy has rules, but which, only to iptables-legacy: where that is missing, they stay unknown. */
function legacyChains(question: UplinkQuestion): DroppingChain[] {
  return question.families.flatMap((family) => {
    const command = family === 'ipv4' ? 'iptables-legacy' : 'ip6tables-legacy';
    const names = family === 'ipv4' ? 'ip_tables_names' : 'ip6_tables_names';
    const listing = within(question.hostNetns, () => {
      if (!tablesIn(`/proc/net/${names}`).includes('filter')) return undefined;
      const { status, stdout } = spawnSync(command, ['-S'], { encoding: 'utf8', timeout: 10_000 });
      return status === 0 ? stdout : undefined;
    });
    if (listing === undefined) return [];
    const { policy, chains } = parseIptables(listing);
    const directions = droppedDirections(question, [family], (packet) =>
      verdict(packet, { chain: 'FORWARD', policy }, (name) => chains.get(name)),
    );
    const commands = iptablesCommands(command, question.hostInterface);
    return directions.length === 0 ? [] : [{ name: `${command} FORWARD`, directions, commands }];
  });
}

function tablesIn(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n');
  } catch (error) {
    // No iptables-legacy in this kernel.
    if ((error as { code?: string }).code === 'ENOENT') return [];
    throw error;
  }
}

function within<T>(netns: string | undefined, action: () => T): T {
  return netns === undefined ? action() : inNetns(netns, action);
}
