/** Rules as `nft -j` lists them (libnftables-json(5)), for verdict.ts. Pure. */
import { type Action, every, inNetwork, type Known, type Packet, type Rule, sameInterface } from './verdict.js';

type Json = { [key: string]: unknown };

export interface NftRule {
  handle: number;
  expr: Json[];
}

/** Which matches of iptables there are in a rule, in its order; see xt.ts. Whether they hold for a first packet. */
export type XtMatches = readonly { name: string; holds: Known }[];

/** Statements that do nothing to a packet's fate. */
const harmless = new Set(['counter', 'log', 'notrack', 'ct helper', 'meter', 'flow', 'map', 'set', 'comment']);
/** Targets of iptables that do more than log. */
const verdicts: Record<string, Action> = {
  MARK: { kind: 'mark' },
  CONNMARK: { kind: 'mark' },
  REJECT: { kind: 'drop' },
  NFQUEUE: { kind: 'unknown' },
  SYNPROXY: { kind: 'unknown' },
};

export function nftRule({ expr }: NftRule, xt: XtMatches): Rule {
  const conditions: ((packet: Packet) => Known)[] = [];
  const extensions = [...xt];
  for (const statement of expr) {
    const [kind = ''] = Object.keys(statement);
    const value = statement[kind];
    if (kind === 'match') {
      conditions.push((packet) => matches(value as Match, packet));
    } else if (kind === 'xt') {
      const { type, name } = (value ?? {}) as { type?: string; name?: string };
      if (type === 'target') {
        return { matches: all(conditions), action: verdicts[name ?? ''] ?? { kind: 'continue' } };
      }
      const extension = extensions.shift();
      conditions.push(() => (extension?.name === name ? extension?.holds : undefined));
    } else if (!harmless.has(kind)) {
      const action = actionOf(kind, value);
      if (action) return { matches: all(conditions), action };
      conditions.push(() => undefined); // a limit, a quota, or what a later nft has
    }
  }
  return { matches: all(conditions), action: { kind: 'continue' } };
}

function all(conditions: readonly ((packet: Packet) => Known)[]): Rule['matches'] {
  return (packet) => every(conditions.map((condition) => condition(packet)));
}

function actionOf(kind: string, value: unknown): Action | undefined {
  switch (kind) {
    case 'accept':
    case 'drop':
    case 'return':
    case 'continue':
      return { kind };
    case 'reject':
      return { kind: 'drop' };
    case 'mangle':
      return { kind: 'mark' };
    case 'jump':
    case 'goto':
      return { kind, chain: (value as { target: string }).target };
    case 'vmap':
    case 'queue':
    case 'tproxy':
      return { kind: 'unknown' };
    default:
      return undefined;
  }
}

interface Match {
  op: string;
  left: Json;
  right: unknown;
}

function matches({ op, left, right }: Match, packet: Packet): Known {
  const found = lookUp(left, right, packet);
  if (found === undefined) return undefined;
  return op === '!=' ? !found : op === '==' || op === 'in' ? found : undefined;
}

/** Whether what stands left is, or is among, what stands right. */
function lookUp(left: Json, right: unknown, packet: Packet): Known {
  const { key } = (left.meta ?? left.ct ?? {}) as { key?: string };
  if (left.meta && (key === 'iifname' || key === 'oifname' || key === 'iif' || key === 'oif')) {
    const name = key.startsWith('i') ? packet.iifname : packet.oifname;
    return among(right, (value) => (typeof value === 'string' ? sameInterface(value, name) : undefined));
  }
  if (left.meta && key === 'nfproto') return among(right, (value) => value === packet.family);
  if (left.meta && key === 'l4proto') return among(right, (value) => value === 'tcp' || value === 6);
  if (left.meta && key === 'mark') return among(right, (value) => isMark(value, packet));
  if (left.ct && key === 'state') return among(right, (value) => value === 'new');
  if (left.ct && key === 'status')
    return among(right, (value) => (value === 'dnat' || value === 'snat' ? false : undefined));
  const payload = left.payload as { protocol?: string; field?: string } | undefined;
  if (payload?.protocol === (packet.family === 'ipv4' ? 'ip' : 'ip6')) {
    if (payload.field === 'saddr') return among(right, (value) => isIn(value, packet.source));
    if (payload.field === 'daddr') return among(right, (value) => isIn(value, packet.destination));
  }
  // mark & mask
  const masked = left['&'] as [Json, unknown] | undefined;
  if ((masked?.[0]?.meta as { key?: string } | undefined)?.key === 'mark') {
    return isMark(right, packet);
  }
  return undefined;
}

function isIn(value: unknown, address: string | undefined): Known {
  const { prefix } = (value ?? {}) as { prefix?: { addr: string; len: number } };
  if (prefix) return inNetwork(address, `${prefix.addr}/${prefix.len}`);
  return typeof value === 'string' ? inNetwork(address, value) : undefined;
}

function isMark(value: unknown, { mark }: Packet): Known {
  return typeof value === 'number' && mark !== undefined ? value === mark : undefined;
}

/** One value, a list of flags, or a set written into the rule; what is in a named set is not known. */
function among(right: unknown, is: (value: unknown) => Known): Known {
  const set = (right as { set?: unknown } | null)?.set ?? right;
  const values = Array.isArray(set) ? set : [set];
  if (values.some((value) => typeof value === 'string' && value.startsWith('@'))) return undefined;
  const answers = values.map(is);
  if (answers.includes(true)) return true;
  return answers.includes(undefined) ? undefined : false;
}
