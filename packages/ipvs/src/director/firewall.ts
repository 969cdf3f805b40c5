/**
 * The director's own nftables table: SNAT to the VIP, and nothing but the Services' ports and ping answering on a VIP.
 * The same for both forwarders. Pure: scripts for `nft -f` out, JSON of `nft -j list table` in.
 *
 * Rules never change; VIPs and ports are elements of sets, so that one lookup serves any number of Services.
 *
 * SNAT to the VIP itself, because a VIP belongs to whoever owns it now: replies of real servers find the director
 * that took over. It stands one before the usual place for source NAT (100).
 *
 * The forward chain decides by what the client first asked for, which translation does not change. So connections end
 * when their port is taken from the Service, and when replies arrive of which this director knows no connection (they
 * were another's), they are dropped rather than answered with a reset that would kill the connection.
 */
import { createHash } from 'node:crypto';
import { type DesiredState, familyOf, type Protocol, type VirtualServerKey } from '../forwarder.js';
import type { NftObject } from '../nft.js';

export const TABLE = 'fairlead';
const table = `inet ${TABLE}`;

/** Numbers, because names would need /etc/protocols. */
const protocolNumbers: Record<Protocol, number> = { tcp: 6, udp: 17, sctp: 132 };
const ICMP = 1;
const ICMPV6 = 58;
const icmpTypes = { echoRequest: 8, echoRequest6: 128, neighbourSolicitation: 135, neighbourAdvertisement: 136 };

const sets = `
add table ${table}
add set ${table} vips4 { type ipv4_addr; }
add set ${table} vips6 { type ipv6_addr; }
add set ${table} services4 { type ipv4_addr . inet_proto . inet_service; }
add set ${table} services6 { type ipv6_addr . inet_proto . inet_service; }
add map ${table} snat4 { type ipv4_addr : ipv4_addr; }
add map ${table} snat6 { type ipv6_addr : ipv6_addr; }
`;

const chains: Record<string, { head: string; rules: string[] }> = {
  input: {
    head: 'type filter hook input priority 0; policy drop;',
    rules: [
      'iif lo accept',
      'ip daddr . meta l4proto . th dport @services4 counter accept',
      'ip6 daddr . meta l4proto . th dport @services6 counter accept',
      `icmp type ${icmpTypes.echoRequest} accept`,
      `icmpv6 type { ${icmpTypes.echoRequest6}, ${icmpTypes.neighbourSolicitation}, ${icmpTypes.neighbourAdvertisement} } accept`,
      // "Fragmentation needed" and the like, about connections that IPVS has: it passes them on.
      `meta l4proto { ${ICMP}, ${ICMPV6} } ct state related accept`,
      'counter',
    ],
  },
  forward: {
    head: 'type filter hook forward priority 0; policy drop;',
    rules: [
      // nft wants to be told the protocol before it lets a tracked port into a concatenation; one rule for each.
      ...Object.values(protocolNumbers).flatMap((protocol) => [
        `meta l4proto ${protocol} ct original ip daddr . meta l4proto . ct original proto-dst @services4 accept`,
        `meta l4proto ${protocol} ct original ip6 daddr . meta l4proto . ct original proto-dst @services6 accept`,
      ]),
      `meta l4proto ${ICMP} ct state related ct original ip daddr @vips4 accept`,
      `meta l4proto ${ICMPV6} ct state related ct original ip6 daddr @vips6 accept`,
      'counter',
    ],
  },
  postrouting: {
    head: 'type nat hook postrouting priority 99; policy accept;',
    rules: ['snat ip to ct original ip daddr map @snat4', 'snat ip6 to ct original ip6 daddr map @snat6'],
  },
};

const body = Object.entries(chains)
  .flatMap(([name, { head, rules }]) => [
    `add chain ${table} ${name} { ${head} }`,
    `flush chain ${table} ${name}`,
    ...rules.map((rule) => `add rule ${table} ${name} ${rule}`),
  ])
  .join('\n');

/** A chain that nothing jumps to: its name says which edition of the rules stands here. */
const edition = `edition-${createHash('sha256')
  .update(sets + body)
  .digest('hex')
  .slice(0, 12)}`;

/** The elements of our sets, each as its text in a script: `10.77.0.200`, `10.77.0.200 . 6 . 80`. */
export interface FirewallState {
  vips: Set<string>;
  services: Set<string>;
}

export function firewallState({ vips, virtualServers }: DesiredState): FirewallState {
  return { vips: new Set(vips), services: new Set(virtualServers.map(serviceElement)) };
}

/** The rules, where `read` does not say they stand. Elements of an earlier edition stay. */
export function rulesScript(listing: FirewallListing | undefined): string {
  const earlier = listing?.editions ?? [];
  return [
    sets,
    body,
    ...earlier.filter((name) => name !== edition).map((name) => `delete chain ${table} ${name}`),
    `add chain ${table} ${edition}`,
    '',
  ].join('\n');
}

/** From `actual` to `desired`, and how many elements that is; the script is '' when it is none. */
export function elementsScript(desired: FirewallState, actual: FirewallState): { script: string; operations: number } {
  const changes = [
    { verb: 'add', vips: missing(desired.vips, actual.vips), services: missing(desired.services, actual.services) },
    { verb: 'delete', vips: missing(actual.vips, desired.vips), services: missing(actual.services, desired.services) },
  ];
  const lines = changes.flatMap(({ verb, vips, services }) =>
    (['ipv4', 'ipv6'] as const).flatMap((family) => {
      const digit = family === 'ipv4' ? 4 : 6;
      const ofFamily = (elements: string[]) => elements.filter((element) => familyOf(element) === family);
      const write = (set: string, elements: string[]) =>
        elements.length === 0 ? [] : [`${verb} element ${table} ${set}${digit} { ${elements.join(', ')} }`];
      const addresses = ofFamily(vips);
      return [
        ...write('services', ofFamily(services)),
        ...write('vips', addresses),
        ...write('snat', verb === 'add' ? addresses.map((address) => `${address} : ${address}`) : addresses),
      ];
    }),
  );
  const operations = changes.reduce((sum, { vips, services }) => sum + vips.length + services.length, 0);
  return { script: lines.length === 0 ? '' : `${lines.join('\n')}\n`, operations };
}

export interface FirewallListing {
  /** The rules are of this edition, and all there. */
  current: boolean;
  editions: string[];
  state: FirewallState;
}

interface SetObject {
  name: string;
  elem?: unknown[];
}

/** undefined for no table. */
export function parseFirewall(objects: readonly NftObject[] | undefined): FirewallListing | undefined {
  if (!objects) return undefined;
  const ofKind = <T>(kind: string) => objects.filter((object) => kind in object).map((object) => object[kind] as T);
  const elements = new Map(ofKind<SetObject>('set').map(({ name, elem }) => [name, elem ?? []]));
  const snat = new Map(ofKind<SetObject>('map').map(({ name, elem }) => [name, (elem ?? []) as [string, string][]]));
  const editions = ofKind<{ name: string }>('chain')
    .map(({ name }) => name)
    .filter((name) => name.startsWith('edition-'));
  const rules = ofKind<{ chain: string }>('rule');
  const complete = Object.entries(chains).every(
    ([name, chain]) => rules.filter((rule) => rule.chain === name).length === chain.rules.length,
  );
  const translated = [...(snat.get('snat4') ?? []), ...(snat.get('snat6') ?? [])].filter(([from, to]) => from === to);
  const vips = [...(elements.get('vips4') ?? []), ...(elements.get('vips6') ?? [])] as string[];
  const services = [...(elements.get('services4') ?? []), ...(elements.get('services6') ?? [])];
  return {
    current: complete && editions.length === 1 && editions[0] === edition,
    editions,
    state: {
      // A VIP is there when it is in the set and in the map. `add element` to the one that has it does nothing.
      vips: new Set(translated.map(([from]) => from).filter((vip) => vips.includes(vip))),
      services: new Set(services.map((element) => parseServiceElement((element as { concat: Concat }).concat))),
    },
  };
}

type Concat = [address: string, protocol: string | number, port: number];

function parseServiceElement([address, protocol, port]: Concat): string {
  const number = typeof protocol === 'number' ? protocol : protocolNumbers[protocol as Protocol];
  return `${address} . ${number ?? protocol} . ${port}`;
}

function serviceElement({ address, protocol, port }: VirtualServerKey): string {
  return `${address} . ${protocolNumbers[protocol]} . ${port}`;
}

function missing(wanted: ReadonlySet<string>, there: ReadonlySet<string>): string[] {
  return [...wanted].filter((element) => !there.has(element));
}
