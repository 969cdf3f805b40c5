/**
 * Reads rules and counters of nf_tables by netlink. `nft` reads the whole ruleset with every element before it lists anything (0.2 s
 * with ten thousand VIPs), which is too much for what is asked every few seconds.
 */
import { Attributes, decodeAttributes, Encoder, hasCode, NetlinkSocket } from '@fairlead/netlink';

const NETLINK_NETFILTER = 12;
const families = { inet: 1, ip: 2, netdev: 5, ip6: 10 } as const;
export type NftFamily = keyof typeof families;

/** NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_* (linux/netfilter/nf_tables.h) */
const messages = { getChain: (10 << 8) | 4, getRule: (10 << 8) | 7, getObject: (10 << 8) | 19 };
const chainAttributes = { table: 1, name: 3, hook: 4, policy: 5 };
const HOOK_NUMBER = 1;
const NF_INET_FORWARD = 2;
const NF_DROP = 0;
const ruleAttributes = { table: 1, chain: 2, handle: 3, expressions: 4 };
const expressionAttributes = { name: 1, data: 2 };
const objectAttributes = { table: 1, name: 2, type: 3, data: 4 };
const counterAttributes = { bytes: 1, packets: 2 };
const OBJECT_COUNTER = 1;
/** struct nfgenmsg {u8 family, u8 version, be16 resource} */
const HEADER_LENGTH = 4;

export interface Counter {
  packets: bigint;
  bytes: bigint;
}

export interface ForwardChain {
  family: NftFamily;
  table: string;
  name: string;
  policy: 'accept' | 'drop';
}

export interface ReadRule {
  handle: number;
  expressions: { name: string; data: Attributes | undefined }[];
}

export class NftReader {
  readonly #socket: NetlinkSocket;

  /** `netns`: a name under /run/netns or an absolute path; undefined: that of this process. */
  constructor(netns: string | undefined) {
    this.#socket = new NetlinkSocket({ protocol: NETLINK_NETFILTER, ...(netns === undefined ? {} : { netns }) });
  }

  hasChain(family: NftFamily, table: string, chain: string): boolean {
    const body = header(family).string(chainAttributes.table, table).string(chainAttributes.name, chain).bytes();
    try {
      const operation = `get chain ${family} ${table} ${chain}`;
      return this.#socket.request({ type: messages.getChain, body, operation }).length > 0;
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return false;
      throw error;
    }
  }

  /** The chains of all tables that what is forwarded goes through. */
  forwardChains(): ForwardChain[] {
    const names = new Map<number, NftFamily>(
      Object.entries(families).map(([name, number]) => [number, name as NftFamily]),
    );
    const body = new Encoder().raw(Buffer.alloc(HEADER_LENGTH)).bytes();
    return this.#socket.dump({ type: messages.getChain, body, operation: 'list chains' }).flatMap(({ payload }) => {
      const chain = new Attributes(payload.subarray(HEADER_LENGTH));
      const family = names.get(payload.readUInt8(0));
      if (!family || chain.nest(chainAttributes.hook)?.u32be(HOOK_NUMBER) !== NF_INET_FORWARD) return [];
      const table = chain.string(chainAttributes.table) ?? '';
      const name = chain.string(chainAttributes.name) ?? '';
      return [{ family, table, name, policy: chain.u32be(chainAttributes.policy) === NF_DROP ? 'drop' : 'accept' }];
    });
  }

  /** In their order; [] also for a chain that is not there. */
  rules(family: NftFamily, table: string, chain: string): ReadRule[] {
    const body = header(family).string(ruleAttributes.table, table).string(ruleAttributes.chain, chain).bytes();
    const operation = `list rules of ${family} ${table} ${chain}`;
    return this.#dump(messages.getRule, body, operation).map((rule) => ({
      handle: Number(rule.binary(ruleAttributes.handle, 8)?.readBigUInt64BE() ?? 0),
      expressions: decodeAttributes(rule.binary(ruleAttributes.expressions) ?? Buffer.alloc(0)).map(({ data }) => {
        const expression = new Attributes(data);
        return {
          name: expression.string(expressionAttributes.name) ?? '',
          data: expression.nest(expressionAttributes.data),
        };
      }),
    }));
  }

  /** How many rules each chain of a table has that has any: one question, and nothing of the rules is decoded. */
  ruleCounts(family: NftFamily, table: string): ReadonlyMap<string, number> {
    const body = header(family).string(ruleAttributes.table, table).bytes();
    const counts = new Map<string, number>();
    for (const rule of this.#dump(messages.getRule, body, `list rules of ${family} ${table}`)) {
      if (rule.string(ruleAttributes.table) !== table) continue;
      const chain = rule.string(ruleAttributes.chain) ?? '';
      counts.set(chain, (counts.get(chain) ?? 0) + 1);
    }
    return counts;
  }

  /** The named counters of a table, by name; none also for a table that is not there. */
  counters(family: NftFamily, table: string): Map<string, Counter> {
    const body = header(family)
      .string(objectAttributes.table, table)
      .u32be(objectAttributes.type, OBJECT_COUNTER)
      .bytes();
    const objects = this.#dump(messages.getObject, body, `list counters of ${family} ${table}`);
    return new Map(
      objects
        .filter((object) => object.string(objectAttributes.table) === table)
        .map((object) => {
          const data = object.nest(objectAttributes.data);
          const number = (attribute: number) => data?.binary(attribute, 8)?.readBigUInt64BE() ?? 0n;
          const counter = { packets: number(counterAttributes.packets), bytes: number(counterAttributes.bytes) };
          return [object.string(objectAttributes.name) ?? '', counter];
        }),
    );
  }

  close(): void {
    this.#socket.close();
  }

  #dump(type: number, body: Uint8Array, operation: string): Attributes[] {
    return this.#socket
      .dump({ type, body, operation })
      .map(({ payload }) => new Attributes(payload.subarray(HEADER_LENGTH)));
  }
}

function header(family: NftFamily): Encoder {
  return new Encoder().raw(Buffer.from([families[family], 0, 0, 0]));
}
