/**
 * What a host's forward chains do to a packet, as far as that can be told without sending it. Pure.
 *
 * Chains of others match on much that is not known here (addresses, sets, extensions of iptables). So matching has
 * three answers, and a verdict is what may happen: only a packet that nothing could have let pass is dropped for certain.
 * Blaming a host that works would take its VIPs away; a host that does not and is not blamed shows it by itself.
 */

import { BlockList, isIP, isIPv6 } from 'node:net';

/** Whether something holds: `undefined` when that is not known. */
export type Known = boolean | undefined;

/** The first packet of a TCP connection that nobody translates. */
export interface Packet {
  iifname: string;
  oifname: string;
  family: 'ipv4' | 'ipv6';
  /** undefined: any. */
  source?: string;
  destination?: string;
  /** It comes without a mark, but a chain may give it one. */
  mark: 0 | undefined;
}

export type Action =
  | { kind: 'accept' | 'drop' | 'return' | 'continue' }
  | { kind: 'jump' | 'goto'; chain: string }
  /** Gives it a mark, and goes on. */
  | { kind: 'mark' }
  /** May be anything. */
  | { kind: 'unknown' };

export interface Rule {
  matches(packet: Packet): Known;
  action: Action;
}

/** What may become of a packet in a chain; `through`: it comes out at the end. */
interface Outcome {
  accept: boolean;
  drop: boolean;
  through: boolean;
}

const MAX_DEPTH = 16;

/** By name; undefined for one that is not there: it may do anything. */
export type Chains = (name: string) => readonly Rule[] | undefined;

/** Throws what `chains` throws. */
export function verdict(
  packet: Packet,
  base: { chain: string; policy: 'accept' | 'drop' },
  chains: Chains,
): 'accepted' | 'dropped' | 'unknown' {
  const { accept, drop, through } = walk({ packet }, base.chain, chains, 0);
  const mayPass = accept || (through && base.policy === 'accept');
  const mayDrop = drop || (through && base.policy === 'drop');
  if (mayPass && mayDrop) return 'unknown';
  return mayDrop ? 'dropped' : 'accepted';
}

/** `way.packet` changes on the way. */
function walk(way: { packet: Packet }, name: string, chains: Chains, depth: number): Outcome {
  const rules = depth > MAX_DEPTH ? undefined : chains(name);
  const outcome: Outcome = { accept: false, drop: false, through: false };
  if (!rules) return { accept: true, drop: true, through: true };
  for (const { matches, action } of rules) {
    const matched = matches(way.packet);
    if (matched === false) continue;
    const result = act(way, action, chains, depth);
    outcome.accept ||= result.accept;
    outcome.drop ||= result.drop;
    // It leaves this chain, and goes on behind whatever called it.
    outcome.through ||= result.leaves;
    if (matched && !result.goesOn) return outcome;
  }
  return { ...outcome, through: true };
}

/** `goesOn`: the next rule of the chain may see the packet. `leaves`: it may return to the calling chain at once. */
function act(
  way: { packet: Packet },
  action: Action,
  chains: Chains,
  depth: number,
): { accept: boolean; drop: boolean; goesOn: boolean; leaves: boolean } {
  switch (action.kind) {
    case 'accept':
      return { accept: true, drop: false, goesOn: false, leaves: false };
    case 'drop':
      return { accept: false, drop: true, goesOn: false, leaves: false };
    case 'return':
      return { accept: false, drop: false, goesOn: false, leaves: true };
    case 'mark':
      way.packet = { ...way.packet, mark: undefined };
      return { accept: false, drop: false, goesOn: true, leaves: false };
    case 'continue':
      return { accept: false, drop: false, goesOn: true, leaves: false };
    case 'jump': {
      const { accept, drop, through } = walk(way, action.chain, chains, depth + 1);
      return { accept, drop, goesOn: through, leaves: false };
    }
    case 'goto': {
      const { accept, drop, through } = walk(way, action.chain, chains, depth + 1);
      return { accept, drop, goesOn: false, leaves: through };
    }
    case 'unknown':
      return { accept: true, drop: true, goesOn: true, leaves: true };
  }
}

/** All of them hold. */
export function every(parts: Iterable<Known>): Known {
  let all: Known = true;
  for (const part of parts) {
    if (part === false) return false;
    if (part === undefined) all = undefined;
  }
  return all;
}

/** Whether an address is in `10.244.0.0/16`, or is `10.0.0.1`. */
export function inNetwork(address: string | undefined, network: string): Known {
  if (address === undefined) return undefined;
  const [first = '', bits] = network.split('/');
  const family = isIPv6(first) ? 'ipv6' : 'ipv4';
  if (isIP(first) === 0 || isIPv6(address) !== isIPv6(first)) return undefined;
  const list = new BlockList();
  list.addSubnet(first, Number(bits ?? (family === 'ipv6' ? 128 : 32)), family);
  return list.check(address, family);
}

/** `docker*`, `docker+` and plain names. */
export function sameInterface(pattern: string, name: string): boolean {
  return /[*+]$/.test(pattern) ? name.startsWith(pattern.slice(0, -1)) : pattern === name;
}
