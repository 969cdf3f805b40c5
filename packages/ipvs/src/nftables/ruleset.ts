/**
 * Virtual servers as nftables rules, and back. Pure: scripts for `nft -f` out, JSON of `nft -j list table` in.
 *
 *   prerouting ── ip daddr . meta l4proto . th dport vmap @dispatch4 ──▶ vs/tcp/10.77.0.200/80
 *                                                                          │ numgen inc mod 2 vmap
 *                                          rs/tcp/10.77.0.200/80/10.77.0.11/30080   rs/…/10.77.0.12/30080
 *                                             counter dnat ip to 10.77.0.11:30080      …
 *
 * One lookup finds the virtual server, whatever their number; one chain for each real server carries its counter, and
 * since only the first packet of a connection passes a nat chain, its packets are connections. Names hold the whole
 * identity, so that a listing can be read by people and changes can be written without knowing any handle.
 */
import type { Operation } from '../diff.js';
import {
  endpoint,
  familyOf,
  type Protocol,
  type RealServer,
  type VirtualServer,
  type VirtualServerKey,
  virtualServerName,
} from '../forwarder.js';

export const TABLE = 'fairlead-forward';
const table = `inet ${TABLE}`;

/** Numbers, because names would need /etc/protocols, which small container images do not have. */
const protocolNumbers: Record<Protocol, number> = { tcp: 6, udp: 17, sctp: 132 };

/** Everything but the virtual servers, where there is no table yet. */
export const baseScript = `
add table ${table}
add map ${table} dispatch4 { type ipv4_addr . inet_proto . inet_service : verdict; }
add map ${table} dispatch6 { type ipv6_addr . inet_proto . inet_service : verdict; }
add chain ${table} prerouting { type nat hook prerouting priority -100; policy accept; }
add rule ${table} prerouting ip daddr . meta l4proto . th dport vmap @dispatch4
add rule ${table} prerouting ip6 daddr . meta l4proto . th dport vmap @dispatch6
`;

export const deleteTableScript = `delete table ${table}\n`;

/** From `before` to `after` (by name, at least those that are named) by `operations`, the difference between them. */
export function changeScript(
  operations: readonly Operation[],
  before: ReadonlyMap<string, VirtualServer>,
  after: ReadonlyMap<string, VirtualServer>,
): string {
  const touched = new Map<string, VirtualServer>();
  // A chain has to be there before it is named, and nothing may name it any more when it goes.
  const lines = { add: [] as string[], choose: [] as string[], dispatch: [] as string[], remove: [] as string[] };
  for (const operation of operations) {
    const { service } = operation;
    const name = virtualServerName(service);
    const chain = serviceChain(service);
    if (operation.kind !== 'delete-service') touched.set(name, after.get(name)!);
    switch (operation.kind) {
      case 'add-service':
        lines.add.push(`add chain ${table} ${chain}`);
        lines.dispatch.push(`add element ${table} ${dispatch(service)} { ${dispatchKey(service)} : goto ${chain} }`);
        break;
      case 'set-service':
      case 'move-destination':
        break; // the rule that chooses is written anew, below
      case 'delete-service':
        lines.dispatch.push(`delete element ${table} ${dispatch(service)} { ${dispatchKey(service)} }`);
        lines.remove.push(...deleteChain(chain));
        for (const real of before.get(name)!.realServers) {
          lines.remove.push(...deleteChain(realServerChain(service, real)));
        }
        break;
      case 'add-destination':
      case 'set-destination':
        lines.add.push(...realServerLines(service, operation.destination));
        break;
      case 'delete-destination':
        lines.remove.push(...deleteChain(realServerChain(service, operation.destination)));
        break;
    }
  }
  for (const server of touched.values()) {
    lines.choose.push(`flush chain ${table} ${serviceChain(server)}`, chooseLine(server));
  }
  return [...lines.add, ...lines.choose, ...lines.dispatch, ...lines.remove, ''].join('\n');
}

function realServerLines(service: VirtualServerKey, real: RealServer): string[] {
  const chain = `${table} ${realServerChain(service, real)}`;
  const family = familyOf(real.address) === 'ipv4' ? 'ip' : 'ip6';
  const target = `${family} to ${endpoint(real.address, real.port)}`;
  return [
    `add chain ${chain}`,
    `flush chain ${chain}`,
    `add rule ${chain} meta l4proto ${protocolNumbers[service.protocol]} counter dnat ${target} comment "weight=${real.weight}"`,
  ];
}

/** Flushed first: a chain with rules cannot be deleted. */
function deleteChain(chain: string): string[] {
  return [`flush chain ${table} ${chain}`, `delete chain ${table} ${chain}`];
}

/** The rule that picks a real server. Without one the packet goes on to the VIP itself, where nothing listens: refused. */
function chooseLine(server: VirtualServer): string {
  const slots = scheduleSlots(server.realServers).map((real) => realServerChain(server, real));
  const rule = `add rule ${table} ${serviceChain(server)}`;
  const comment = `comment "${settingsComment(server)}"`;
  if (slots.length === 0) return `${rule} counter ${comment}`;
  if (slots.length === 1) return `${rule} goto ${slots[0]} ${comment}`;
  const verdicts = slots.map((chain, slot) => `${slot} : goto ${chain}`).join(', ');
  return `${rule} ${generator(server, slots.length)} vmap { ${verdicts} } ${comment}`;
}

/** The same in every director, so that a client keeps its real server when the VIP moves. */
const HASH_SEED = 77;

/**
 * nftables knows turns, chance and hashes. Schedulers that hash do so here too, and persistence becomes a hash of the
 * client's address; whatever looks at connections is served by chance: evenly.
 */
function generator(server: VirtualServer, slots: number): string {
  const key = hashKey(server);
  if (key) return `jhash ${key} mod ${slots} seed ${HASH_SEED}`;
  const mode = server.scheduler === 'rr' || server.scheduler === 'wrr' ? 'inc' : 'random';
  return `numgen ${mode} mod ${slots}`;
}

function hashKey({ address, scheduler, flags = [], persistenceSeconds }: VirtualServer): string | undefined {
  const header = familyOf(address) === 'ipv4' ? 'ip' : 'ip6';
  if (persistenceSeconds) return `${header} saddr`;
  if (flags.includes('mh-port') || flags.includes('sh-port')) return `${header} saddr . th sport`;
  if (scheduler === 'mh' || scheduler === 'sh') return `${header} saddr`;
  return scheduler === 'dh' ? `${header} daddr` : undefined;
}

/** `scheduler=mh flags=mh-fallback,mh-port persistence=10800`: what of a virtual server its rules do not tell. */
function settingsComment({ scheduler, flags = [], persistenceSeconds }: VirtualServer): string {
  return [
    `scheduler=${scheduler}`,
    ...(flags.length > 0 ? [`flags=${flags.join()}`] : []),
    ...(persistenceSeconds ? [`persistence=${persistenceSeconds}`] : []),
  ].join(' ');
}

const MAX_SLOTS = 256;

/**
 * Which real server each turn of the generator goes to: each as often as its weight says, spread as smoothly as
 * possible (nginx's smooth weighted round robin). Weights beyond what 256 turns can express are scaled down.
 */
export function scheduleSlots(realServers: readonly RealServer[]): RealServer[] {
  const used = realServers.filter((real) => real.weight > 0);
  const divisor = used.reduce((common, real) => gcd(common, real.weight), 0) || 1;
  const scale = Math.max(1, used.reduce((sum, real) => sum + real.weight, 0) / divisor / MAX_SLOTS);
  const turns = used.map((real) => ({
    real,
    share: Math.max(1, Math.round(real.weight / divisor / scale)),
    credit: 0,
  }));
  const total = turns.reduce((sum, { share }) => sum + share, 0);
  return Array.from({ length: total }, () => {
    for (const turn of turns) turn.credit += turn.share;
    const next = turns.reduce((best, turn) => (turn.credit > best.credit ? turn : best));
    next.credit -= total;
    return next.real;
  });
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

function dispatch(service: VirtualServerKey): string {
  return familyOf(service.address) === 'ipv4' ? 'dispatch4' : 'dispatch6';
}

function dispatchKey({ address, protocol, port }: VirtualServerKey): string {
  return `${address} . ${protocolNumbers[protocol]} . ${port}`;
}

/** `:` is no part of an nft name; `_` is no part of an address. */
function nameOf(address: string): string {
  return address.replaceAll(':', '_');
}

export function serviceChain({ address, protocol, port }: VirtualServerKey): string {
  return `vs/${protocol}/${nameOf(address)}/${port}`;
}

export function realServerChain(service: VirtualServerKey, real: { address: string; port: number }): string {
  return `${serviceChain(service).replace('vs/', 'rs/')}/${nameOf(real.address)}/${real.port}`;
}
