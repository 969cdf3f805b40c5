/**
 * The rules by which a segment of a TCP connection that this node's director does not know gets a second chance at the node that owned the
 * VIP before. Pure: scripts for `nft -f`.
 *
 *   new owner's director      new owner's host                     LAN     former owner's host           its director
 *   unknown, and not a SYN ─▶ fairlead0: from-director ──────────────────▶ eth0: from-lan ─▶ prerouting ─▶ known there: goes on;
 *   (ip fairlead)             VIP → virtual router → former owner          (TTL 255)         (ip fairlead)  unknown: refused
 *                             none: back, for the director to decide
 *
 * A director's frames of this kind have a destination of their own (CHANCE_MAC): only these rules heed it, and without them the host drops it.
 * On the host they are passed on below IP: it is neither asked for a route nor is its connection tracking, which kube-proxy makes drop
 * half of a connection that it sees. The former owner's connection tracking did see the connection, and must go on to: so there the segment
 * passes it, and goes into the director past the routing (as a copy, `dup`), which has no way there for a node that does not own the VIP
 * and would refuse what has its own address as source: replies of its own NodePorts, which came here first.
 *
 * While two directors forward for a VIP, a node that routes it into its own gets requests from the other one: their source is the VIP, which
 * strict rp_filter refuses from the LAN. So these come in by the director's interface (`from-vip`, `mirror`), as its own requests do.
 *
 * There is one chance. What was passed on is marked by a TTL that nothing else has which came through a router or this host (RFC 5082): 255 on
 * the wire, at least 253 in a director, and a director passes on only what has less. So nothing can go round, whatever two nodes believe of
 * each other; and a client next door whose TTL begins at 255 has no second chance.
 */
import { createHash } from 'node:crypto';
import type { DirectorLink } from '../director/link.js';
import { holdRule, type SignLives, signRules, signSet } from './signs.js';

export const TABLE = 'fairlead';

/** Where a director sends what it does not know. */
export const CHANCE_MAC = '02:fa:1e:ad:4d:03';
export const CHANCE_GATEWAY = { ipv4: '169.254.77.5', ipv6: 'fe80::4d:3' } as const;
/** What comes to a director for this address goes back to the host, as if it came from there. */
const MIRROR_MAC = '02:fa:1e:ad:4d:04';
/** Notes of from-lan to prerouting on one host, which the source of a frame is free for. */
const PASSED_ON = '02:fa:1e:ad:4d:05';
const STRAY = '02:fa:1e:ad:4d:06';

const MARK_TTL = 255;
/** Looking up a neighbour (`lan-`) counts as a hop. */
const MARK_ON_WIRE = MARK_TTL - 1;
const MARK_IN_DIRECTOR = MARK_TTL - 2;

/** Protocols for which the way into the director is open. */
export const HELD_SET = 'held';
/** TCP, UDP, SCTP and ICMPv6: as numbers, because names would need /etc/protocols. */
export const HELD = [6, 17, 132, 58];
/** Of what is not to go there; read as "fairlead". */
export const OFF_MARK = 0xfa1e0ff;

export const counterNames = ['passed_on', 'passed_to_lan', 'taken_in', 'returned'] as const;
export type ChanceCounter = (typeof counterNames)[number];

export interface ChanceUplink {
  name: string;
  index: number;
  mac: string;
}

export interface Table {
  family: 'netdev' | 'ip' | 'ip6';
  /** Sets, maps and counters. */
  declarations: string[];
  chains: { name: string; head?: string; rules: string[] }[];
}

const families = [
  { family: 'ip', ip: 'ip', ttl: 'ip ttl', tcp: 'ip protocol tcp', digit: 4, version: 'ipv4' },
  { family: 'ip6', ip: 'ip6', ttl: 'ip6 hoplimit', tcp: 'ip6 nexthdr tcp', digit: 6, version: 'ipv6' },
] as const;

const opens = 'tcp flags & (fin | syn | rst | ack) == syn';
const doesNotOpen = opens.replace('==', '!=');
/** What connection tracking does not take for a part of a connection that it missed the beginning of. */
const answersOrEnds = 'tcp flags & (fin | syn | rst | ack) { syn | ack, fin | ack, rst, rst | ack }';
const virtualRouter = (ip: string, digit: number) => `meta mark set ${ip} daddr map @router${digit}`;
const count = (name: ChanceCounter) => `counter name ${name}`;

/** Names of the chains that lead to a former owner, and to whoever the LAN knows as the owner. */
export const exitTo = (uplink: string) => `to-${uplink}`;
export const exitToLan = (uplink: string) => `lan-${uplink}`;

export function hostTables(
  link: DirectorLink,
  uplinks: readonly ChanceUplink[],
  { lives, heldSeconds }: SignLives,
): Table[] {
  const ingress = (devices: readonly string[]) =>
    `type filter hook ingress devices = { ${devices.map((name) => `"${name}"`).join(', ')} } priority 0; policy accept;`;
  const netdev: Table = {
    family: 'netdev',
    declarations: [
      'map router4 { type ipv4_addr : mark; }',
      'map router6 { type ipv6_addr : mark; }',
      'map former { type mark : ether_addr; }',
      'map exits { type mark : verdict; }',
      signSet,
      'set guests { type mark; }',
      ...counterNames.map((name) => `counter ${name}`),
    ],
    chains: [
      ...uplinks.flatMap(({ name, mac }) => [
        {
          name: exitTo(name),
          rules: [
            `ether daddr set meta mark map @former ether saddr set ${mac} ${count('passed_on')} fwd to "${name}"`,
          ],
        },
        {
          name: exitToLan(name),
          rules: families.map(({ ip }) => `${count('passed_to_lan')} fwd ${ip} to ${ip} daddr device "${name}"`),
        },
      ]),
      {
        name: 'pass',
        rules: [
          ...families.map(({ ttl }) => `${ttl} set ${MARK_TTL}`),
          `meta mark != @alive goto ${exitToLan(uplinks[0]!.name)}`,
          'meta mark vmap @exits',
          `ether daddr set ${link.director.mac} ${count('returned')} fwd to "${link.host.name}"`,
        ],
      },
      {
        name: 'from-director',
        head: ingress([link.host.name]),
        rules: [
          `ether daddr != ${CHANCE_MAC} accept`,
          ...signRules(lives),
          ...families.map(({ ip, tcp, digit }) => `${tcp} ${virtualRouter(ip, digit)} goto pass`),
          'drop',
        ],
      },
      {
        name: 'from-vip',
        rules: [
          'meta mark @alive meta mark != @guests meta mark set 0 accept',
          // Only while rp_filter would refuse it from the LAN: without a way into the director, it would refuse it from there.
          `fib saddr oifname "${link.host.name}" ether daddr set ${MIRROR_MAC} fwd to "${link.host.name}"`,
          'meta mark set 0 accept',
        ],
      },
      {
        name: 'from-lan',
        head: ingress(uplinks.map(({ name }) => name)),
        rules: [
          'ip protocol tcp meta mark set ip saddr map @router4 goto from-vip',
          ...families.flatMap(({ ip, ttl, tcp, digit }) => [
            `${ttl} >= ${MARK_ON_WIRE} ${tcp} ${doesNotOpen} ${virtualRouter(ip, digit)} meta mark set 0 ether saddr set ${PASSED_ON} accept`,
            `${tcp} ${answersOrEnds} ${virtualRouter(ip, digit)} meta mark set 0 ether saddr set ${STRAY} accept`,
          ]),
        ],
      },
    ],
  };
  const ip = families.map(({ family, version }): Table => {
    const intoDirector = `dup to ${link.director[version]} device "${link.host.name}" drop`;
    return {
      family,
      declarations: ['counter taken_in'],
      chains: [
        {
          name: 'prerouting',
          head: 'type filter hook prerouting priority -150; policy accept;',
          rules: [
            `ether saddr ${PASSED_ON} ${count('taken_in')} ${intoDirector}`,
            `ether saddr ${STRAY} ct state invalid ${intoDirector}`,
          ],
        },
      ],
    };
  });
  return [netdev, ...ip.map((table) => (table.family === 'ip6' ? withSwitch(table, link, heldSeconds) : table))];
}

/**
 * The dead man's switch of IPv6 (../routes/dead-mans-switch.ts), whose routes stay when an address goes: elements with a lifetime. Without them what
 * is routed into the director is marked, and thereby routed like anything else.
 */
function withSwitch(table: Table, link: DirectorLink, seconds: number): Table {
  const held = `meta l4proto @${HELD_SET} accept`;
  return {
    ...table,
    declarations: [...table.declarations, `set ${HELD_SET} { type inet_proto; flags timeout, dynamic; }`],
    chains: [
      ...table.chains,
      {
        name: 'switch-signs',
        // Before anybody tracks them, or asks where they come from.
        head: 'type filter hook prerouting priority -350; policy accept;',
        rules: [holdRule(link, HELD_SET, seconds)],
      },
      {
        name: 'switch-forwarded',
        // Behind connection tracking's own translation: what is for the VIP may have had this node's address on the wire.
        head: 'type filter hook prerouting priority -90; policy accept;',
        rules: [held, `fib daddr oifname "${link.host.name}" meta mark set ${OFF_MARK}`],
      },
      {
        name: 'switch-own',
        head: 'type route hook output priority -150; policy accept;',
        rules: [held, `oifname "${link.host.name}" meta mark set ${OFF_MARK}`],
      },
    ],
  };
}

export function directorTables(link: DirectorLink): Table[] {
  const mirror: Table = {
    family: 'netdev',
    declarations: [],
    chains: [
      {
        name: 'mirror',
        head: `type filter hook ingress device "${link.director.name}" priority 0; policy accept;`,
        rules: [
          `ether daddr ${MIRROR_MAC} ether daddr set ${link.host.mac} ether saddr set ${link.director.mac} fwd to "${link.director.name}"`,
        ],
      },
    ],
  };
  const ip = families.map(({ family, ip, ttl, version }): Table => {
    const { name } = link.director;
    const ours = `iifname "${name}" ct state`;
    const passOn =
      `${ttl} < ${MARK_IN_DIRECTOR} ${ip} daddr != ${link.director[version]} fib daddr type local ` +
      `counter dup to ${CHANCE_GATEWAY[version]} device "${name}" drop`;
    return {
      family,
      declarations: [],
      chains: [
        {
          name: 'prerouting',
          head: 'type filter hook prerouting priority -150; policy accept;',
          rules: [
            `${ours} new meta l4proto tcp ${doesNotOpen} ${passOn}`,
            `${ours} invalid meta l4proto tcp ${answersOrEnds} ${passOn}`,
          ],
        },
      ],
    };
  });
  return [mirror, ...ip];
}

/** A chain that nothing jumps to: its name says which edition of the rules stands here, and that they are ours. */
export function editionOf(tables: readonly Table[], bound: readonly ChanceUplink[]): string {
  const hash = createHash('sha256').update(JSON.stringify([tables, bound]));
  return `edition-${hash.digest('hex').slice(0, 12)}`;
}

/** All of the tables anew, in one transaction. */
export function script(tables: readonly Table[], edition: string): string {
  return tables
    .flatMap(({ family, declarations, chains }) => {
      const table = `${family} ${TABLE}`;
      const declared = declarations.map((declaration) => {
        const [kind, name, ...rest] = declaration.split(' ');
        return `add ${kind} ${table} ${name} ${rest.join(' ')}`;
      });
      return [
        `add table ${table}`,
        `delete table ${table}`,
        `add table ${table}`,
        ...declared,
        ...chains.map(({ name, head }) => `add chain ${table} ${name}${head ? ` { ${head} }` : ''}`),
        ...chains.flatMap(({ name, rules }) => rules.map((rule) => `add rule ${table} ${name} ${rule}`)),
        `add chain ${table} ${edition}`,
        // Whoever makes them is alive.
        ...(family === 'ip6' && declarations.some((declaration) => declaration.includes(` ${HELD_SET} `))
          ? [`add element ${table} ${HELD_SET} { ${HELD.map((number) => `${number} timeout 3s`).join(', ')} }`]
          : []),
      ];
    })
    .concat('')
    .join('\n');
}
