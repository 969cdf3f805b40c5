/**
 * The director's own nftables table: SNAT to the VIP, and nothing but the Services' ports and ping answering on a VIP.
 * The same for both forwarders. Pure: scripts for `nft -f` out, listings in.
 *
 * Rules never change; VIPs, ports and clients are elements of sets (elements.ts), so that one lookup serves any number
 * of Services. Each rule that decides has a named counter.
 *
 * SNAT to the VIP itself, because a VIP belongs to whoever owns it now: replies of real servers find the director
 * that took over. It stands one before the usual place for source NAT (100). A client's port is kept unless another
 * connection to the same real server has it: two directors then translate alike, without telling each other.
 *
 * With IPVS, requests come through `input` (IPVS takes them from there) and replies through `forward`; with nftables,
 * both come through `forward`. That chain decides by what the client first asked for, and who it was, which translation
 * does not change. So connections end when their port is taken from the Service or their client from its source ranges;
 * and when replies arrive of which this director knows no connection (they were another's), they are dropped rather
 * than answered with a reset that would kill the connection.
 */
import { createHash } from 'node:crypto';
import type { Protocol } from '../forwarder.js';
import type { NftObject } from '../nft.js';
import type { NftReader } from '../nft-reader.js';
import { type ElementKind, setName } from './elements.js';

export const TABLE = 'fairlead';
const table = `inet ${TABLE}`;

/** Numbers, because names would need /etc/protocols. */
const protocolNumbers: Record<Protocol, number> = { tcp: 6, udp: 17, sctp: 132 };
const ICMP = 1;
const ICMPV6 = 58;
const icmpTypes = { echoRequest: 8, echoRequest6: 128, neighbourSolicitation: 135, neighbourAdvertisement: 136 };

/** Of packets, but for `snat_connections`: only the first packet of a connection is translated by a rule. */
export const counterNames = [
  'in_open',
  'in_source_allowed',
  'in_source_refused',
  'in_echo',
  'in_icmp_error',
  'in_neighbour',
  'in_refused',
  'forward_open',
  'forward_source_allowed',
  'forward_source_refused',
  'forward_icmp_error',
  'forward_refused',
  'snat_connections',
] as const;
export type CounterName = (typeof counterNames)[number];

const service = (address: string) => `type ${address} . inet_proto . inet_service`;
const setDeclarations: Record<ElementKind, (address: string) => string> = {
  vips: (address) => `type ${address};`,
  snat: (address) => `type ${address} : ${address};`,
  services: (address) => `${service(address)};`,
  restricted: (address) => `${service(address)};`,
  sources: (address) => `${service(address)} . ${address}; flags interval;`,
};

const declarations = [
  `add table ${table}`,
  ...Object.entries(setDeclarations).flatMap(([kind, declare]) =>
    (['ipv4', 'ipv6'] as const).map((family) => {
      const name = setName({ kind: kind as ElementKind, family });
      return `add ${kind === 'snat' ? 'map' : 'set'} ${table} ${name} { ${declare(`${family}_addr`)} }`;
    }),
  ),
  ...counterNames.map((name) => `add counter ${table} ${name}`),
].join('\n');

const count = (name: CounterName) => `counter name ${name}`;
const families = [
  { ip: 'ip', digit: 4 },
  { ip: 'ip6', digit: 6 },
] as const;

/** One rule for each family, and where nft wants to know the protocol before it looks into connection tracking, for each. */
const requested = (sets: string, clients: boolean, verdict: string) =>
  families.map(({ ip, digit }) => {
    const client = clients ? ` . ${ip} saddr` : '';
    return `${ip} daddr . meta l4proto . th dport${client} @${sets}${digit} ${verdict}`;
  });
const tracked = (sets: string, clients: boolean, verdict: string) =>
  Object.values(protocolNumbers).flatMap((protocol) =>
    families.map(({ ip, digit }) => {
      const client = clients ? ` . ct original ${ip} saddr` : '';
      const key = `ct original ${ip} daddr . meta l4proto . ct original proto-dst${client}`;
      return `meta l4proto ${protocol} ${key} @${sets}${digit} ${verdict}`;
    }),
  );

/** By name. */
const chains: Record<string, { head: string; rules: string[] }> = {
  input: {
    head: 'type filter hook input priority 0; policy drop;',
    rules: [
      'iif lo accept',
      ...requested('services', false, `${count('in_open')} accept`),
      ...requested('sources', true, `${count('in_source_allowed')} accept`),
      ...requested('restricted', false, `${count('in_source_refused')} drop`),
      `icmp type ${icmpTypes.echoRequest} ip daddr @vips4 ${count('in_echo')} accept`,
      `icmpv6 type ${icmpTypes.echoRequest6} ip6 daddr @vips6 ${count('in_echo')} accept`,
      `icmpv6 type { ${icmpTypes.neighbourSolicitation}, ${icmpTypes.neighbourAdvertisement} } ${count('in_neighbour')} accept`,
      // "Fragmentation needed" and the like, about connections that IPVS has: it passes them on.
      `meta l4proto { ${ICMP}, ${ICMPV6} } ct state related ${count('in_icmp_error')} accept`,
      count('in_refused'),
    ],
  },
  forward: {
    head: 'type filter hook forward priority 0; policy drop;',
    rules: [
      ...tracked('services', false, `${count('forward_open')} accept`),
      ...tracked('sources', true, `${count('forward_source_allowed')} accept`),
      ...tracked('restricted', false, `${count('forward_source_refused')} drop`),
      `meta l4proto ${ICMP} ct state related ct original ip daddr @vips4 ${count('forward_icmp_error')} accept`,
      `meta l4proto ${ICMPV6} ct state related ct original ip6 daddr @vips6 ${count('forward_icmp_error')} accept`,
      count('forward_refused'),
    ],
  },
  postrouting: {
    head: 'type nat hook postrouting priority 99; policy accept;',
    rules: families.map(
      ({ ip, digit }) =>
        `ct original ${ip} daddr @vips${digit} ${count('snat_connections')} snat ${ip} to ct original ${ip} daddr map @snat${digit}`,
    ),
  },
};

const body = Object.entries(chains)
  .flatMap(([name, { head, rules }]) => [
    `add chain ${table} ${name} { ${head} }`,
    `flush chain ${table} ${name}`,
    ...rules.map((rule) => `add rule ${table} ${name} ${rule}`),
  ])
  .join('\n');

/** A chain that nothing jumps to: its name says which edition of the rules stands here, and that they are ours. */
const edition = `edition-${createHash('sha256')
  .update(declarations + body)
  .digest('hex')
  .slice(0, 12)}`;

/** Whether the rules of this edition stand, and all of them: without reading anything else. */
export function isCurrent(reader: Pick<NftReader, 'hasChain' | 'ruleCounts'>): boolean {
  if (!reader.hasChain('inet', TABLE, edition)) return false;
  const counts = reader.ruleCounts('inet', TABLE);
  return Object.entries(chains).every(([name, { rules }]) => (counts.get(name) ?? 0) === rules.length);
}

/**
 * The rules in one transaction, where they do not stand. Elements stay. `editions`: those that are there; undefined for no
 * table.
 */
export function rulesScript(editions: readonly string[] | undefined): string {
  return [
    declarations,
    body,
    ...(editions ?? []).filter((name) => name !== edition).map((name) => `delete chain ${table} ${name}`),
    `add chain ${table} ${edition}`,
    '',
  ].join('\n');
}

/** By whom the table was made: names of editions, of earlier releases or of this one; none: by somebody else. undefined for no table. */
export function editionsIn(objects: readonly NftObject[] | undefined): string[] | undefined {
  return objects
    ?.flatMap(({ chain }) => (chain ? [(chain as { name: string }).name] : []))
    .filter((name) => name.startsWith('edition-'));
}
