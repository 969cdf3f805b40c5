/**
 * From a `Ruleset` to the text of one nft transaction: either all of it takes effect, or nothing.
 *
 * The table is never deleted (affinity sets would forget their clients): its rules and map elements are flushed and
 * written anew. Chains whose endpoint is gone are emptied by that, and deleted by a later transaction, because kernels
 * before 6.2 still count the references of map elements that the same transaction removed (as kube-proxy notes).
 */
import type { V1EndpointSlice, V1Service } from '@kubernetes/client-node';
import { ADDRESS_SETS, buildRuleset, MAPS, MASQUERADE_MARK, type Ruleset, TABLE } from './ruleset.js';
import { type ProxyNode, servicePorts } from './service-ports.js';

// Priorities in numbers: nft 1.0.6 does not know the name `dstnat` in an output chain.
const FIXED_CHAINS: Record<string, readonly string[]> = {
  'filter-prerouting-pre-dnat': [
    'type filter hook prerouting priority -110; policy accept;',
    'ct state new jump firewall-check',
  ],
  'filter-output-pre-dnat': [
    'type filter hook output priority -110; policy accept;',
    'ct state new jump firewall-check',
  ],
  'filter-input': [
    'type filter hook input priority 0; policy accept;',
    'ct state new jump nodeport-endpoints-check',
    'ct state new jump service-endpoints-check',
  ],
  'filter-forward': [
    'type filter hook forward priority 0; policy accept;',
    'ct state invalid drop',
    'ct state new jump service-endpoints-check',
    'ct state new jump cluster-ips-check',
  ],
  'filter-output': [
    'type filter hook output priority 0; policy accept;',
    'ct state new jump service-endpoints-check',
    'ct state new jump cluster-ips-check',
  ],
  'nat-prerouting': ['type nat hook prerouting priority -100; policy accept;', 'jump services'],
  'nat-output': ['type nat hook output priority -100; policy accept;', 'jump services'],
  'nat-postrouting': ['type nat hook postrouting priority 100; policy accept;', 'jump masquerading'],
  services: [
    'ip daddr . meta l4proto . th dport vmap @service-ips',
    'ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports',
  ],
  'firewall-check': ['ip daddr . meta l4proto . th dport vmap @firewall-ips'],
  'service-endpoints-check': ['ip daddr . meta l4proto . th dport vmap @no-endpoint-services'],
  'nodeport-endpoints-check': ['ip daddr @nodeport-ips meta l4proto . th dport vmap @no-endpoint-nodeports'],
  'cluster-ips-check': ['ip daddr @cluster-ips reject'],
  'reject-chain': ['reject'],
  'mark-for-masquerade': [`meta mark set meta mark | ${MASQUERADE_MARK}`],
  masquerading: [
    `meta mark & ${MASQUERADE_MARK} == 0 return`,
    `meta mark set meta mark ^ ${MASQUERADE_MARK}`,
    'masquerade fully-random',
  ],
};

/** The nft text that makes `node`'s kube-proxy table serve these Services: for reading and for a first load. */
export function renderRules(
  services: readonly V1Service[],
  slices: readonly V1EndpointSlice[],
  node: ProxyNode,
): string {
  return renderRuleset(buildRuleset(servicePorts(services, slices, node), node));
}

/**
 * The transaction that makes the table equal to `ruleset`.
 * @param stale what earlier transactions left in the table and nothing refers to any more
 */
export function renderRuleset(
  ruleset: Ruleset,
  stale: { chains: readonly string[]; affinitySets: readonly string[] } = { chains: [], affinitySets: [] },
): string {
  const prologue = [`add table ip ${TABLE}`, `flush table ip ${TABLE}`];
  for (const [name, type] of Object.entries(MAPS)) {
    prologue.push(`add map ip ${TABLE} ${name} { type ${type} ; }`, `flush map ip ${TABLE} ${name}`);
  }
  for (const name of ADDRESS_SETS) {
    prologue.push(`add set ip ${TABLE} ${name} { type ipv4_addr ; }`, `flush set ip ${TABLE} ${name}`);
  }
  const blocks: string[] = [];
  for (const [name, seconds] of ruleset.affinitySets) {
    blocks.push(block(`set ${name}`, ['type ipv4_addr;', 'flags dynamic,timeout;', `timeout ${seconds}s;`]));
  }
  for (const [name, rules] of Object.entries(FIXED_CHAINS)) blocks.push(block(`chain ${name}`, rules));
  for (const [name, rules] of ruleset.chains) blocks.push(block(`chain ${name}`, rules));
  const elements = [
    ...Object.entries(ruleset.maps).map(([name, map]) => ({ name, list: [...map].map(([k, v]) => `${k} : ${v}`) })),
    ...Object.entries(ruleset.sets).map(([name, set]) => ({ name, list: [...set] })),
  ]
    .filter(({ list }) => list.length > 0)
    .map(({ name, list }) => `add element ip ${TABLE} ${name} {\n  ${list.join(',\n  ')}\n}`);
  return `${[
    ...prologue,
    `table ip ${TABLE} {\n${blocks.join('\n')}\n}`,
    ...elements,
    ...stale.chains.map((name) => `delete chain ip ${TABLE} ${name}`),
    ...stale.affinitySets.map((name) => `delete set ip ${TABLE} ${name}`),
  ].join('\n')}\n`;
}

function block(head: string, lines: readonly string[]): string {
  return `  ${head} {\n${lines.map((line) => `    ${line}\n`).join('')}  }`;
}
