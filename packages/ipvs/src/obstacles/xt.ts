/**
 * Matches of iptables in rules of nf_tables, which nft lists by their names only: `iptables` writes what nf_tables has no
 * expression for, or had none for once, as the structure of its own. Read here are those that tell the first packet of a
 * connection from others, because a chain that accepts only those others is the most usual of all.
 */
import { Attributes, decodeAttributes, Encoder, NetlinkSocket } from '@fairlead/netlink';
import type { XtMatches } from './nft-rules.js';
import type { Known } from './verdict.js';

const NETLINK_NETFILTER = 12;
/** NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETRULE */
const GET_RULE = (10 << 8) | 7;
const families: Record<string, number> = { inet: 1, ip: 2, ip6: 10 };
const ruleAttributes = { table: 1, chain: 2, handle: 3, expressions: 4 };
const expressionAttributes = { name: 1, data: 2 };
const matchAttributes = { name: 1, info: 3 };
const HEADER_LENGTH = 4;

/** The matches of all rules of a chain, by the handle of the rule. */
export function readXtMatches(
  netns: string | undefined,
  { family, table, chain }: { family: string; table: string; chain: string },
): Map<number, XtMatches> {
  const socket = new NetlinkSocket({ protocol: NETLINK_NETFILTER, ...(netns === undefined ? {} : { netns }) });
  try {
    const body = new Encoder()
      .raw(Buffer.from([families[family] ?? 0, 0, 0, 0]))
      .string(ruleAttributes.table, table)
      .string(ruleAttributes.chain, chain)
      .bytes();
    const answers = socket.dump({ type: GET_RULE, body, operation: `list rules of ${family} ${table} ${chain}` });
    return new Map(answers.map(({ payload }) => decodeRule(new Attributes(payload.subarray(HEADER_LENGTH)))));
  } finally {
    socket.close();
  }
}

function decodeRule(rule: Attributes): [handle: number, matches: XtMatches] {
  const handle = Number(rule.binary(ruleAttributes.handle, 8)?.readBigUInt64BE() ?? 0);
  const matches = decodeAttributes(rule.binary(ruleAttributes.expressions) ?? Buffer.alloc(0)).flatMap(({ data }) => {
    const expression = new Attributes(data);
    if (expression.string(expressionAttributes.name) !== 'match') return [];
    const match = expression.nest(expressionAttributes.data);
    const name = match?.string(matchAttributes.name) ?? '';
    return [{ name, holds: holdsForFirst(name, match?.binary(matchAttributes.info) ?? Buffer.alloc(0)) }];
  });
  return [handle, matches];
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
