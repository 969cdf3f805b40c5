/**
 * Matches of iptables in rules of nf_tables, which nft lists by their names only: `iptables` writes what nf_tables has no
 * expression for, or had none for once, as the structure of its own. Read here are those that tell the first packet of a
 * connection from others, because a chain that accepts only those others is the most usual of all.
 */
import { type NftFamily, NftReader, type ReadRule } from '../nft-reader.js';
import type { XtMatches } from './nft-rules.js';
import type { Known } from './verdict.js';

/** NFTA_MATCH_* */
const matchAttributes = { name: 1, info: 3 };

/** The matches of all rules of a chain, by the handle of the rule. */
export function readXtMatches(
  netns: string | undefined,
  { family, table, chain }: { family: NftFamily; table: string; chain: string },
): Map<number, XtMatches> {
  const reader = new NftReader(netns);
  try {
    return new Map(reader.rules(family, table, chain).map((rule) => [rule.handle, matchesOf(rule)]));
  } finally {
    reader.close();
  }
}

function matchesOf({ expressions }: ReadRule): XtMatches {
  return expressions.flatMap(({ name: kind, data }) => {
    if (kind !== 'match') return [];
    const name = data?.string(matchAttributes.name) ?? '';
    return [{ name, holds: holdsForFirst(name, data?.binary(matchAttributes.info) ?? Buffer.alloc(0)) }];
  });
}

/** XT_CONNTRACK_STATE_BIT(IP_CT_NEW), the same in xt_state. */
const STATE_NEW = 1 << 3;
/** XT_CONNTRACK_STATE */
const TEST_STATE = 1 << 0;

/** Whether the match holds for the first packet of a connection that nobody translates. */
export function holdsForFirst(name: string, info: Buffer): Known {
  if (name === 'comment') return true;
  // struct xt_state_info {u32 states}
  if (name === 'state' && info.length >= 4) return (info.readUInt32LE(0) & STATE_NEW) !== 0;
  // struct xt_conntrack_mtinfo3 (2 is the same so far): 8 addresses of 16 bytes, 2 × u32, 5 × u16, then these u16
  if (name === 'conntrack' && info.length >= 152) {
    const [tests, inverted, states] = [146, 148, 150].map((at) => info.readUInt16LE(at)) as [number, number, number];
    if (tests !== TEST_STATE) return undefined;
    return ((states & STATE_NEW) !== 0) !== ((inverted & TEST_STATE) !== 0);
  }
  return undefined;
}
