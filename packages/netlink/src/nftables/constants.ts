/** Numbers of linux/netfilter/nf_tables.h, and of nft's data types (include/datatype.h of nftables). */

export const commands = {
  newSet: 9,
  getSet: 10,
  newSetElement: 12,
  getSetElement: 13,
  deleteSetElement: 14,
  getGeneration: 16,
} as const;

/** NFPROTO_*: which packets a table sees. */
export const families = { inet: 1, ip: 2, arp: 3, netdev: 5, bridge: 7, ip6: 10 } as const;

export const setAttributes = {
  table: 1,
  name: 2,
  flags: 3,
  keyType: 4,
  keyLength: 5,
  dataType: 6,
  dataLength: 7,
} as const;

export const setFlags = {
  constant: 0x2,
  interval: 0x4,
  map: 0x8,
  timeout: 0x10,
  dynamic: 0x20,
  object: 0x40,
  /** A concatenation in which each field is a range. */
  concatenation: 0x80,
} as const;

export const generationAttributes = { id: 1 } as const;

export const elementListAttributes = { table: 1, set: 2, elements: 3 } as const;
/** NFTA_LIST_ELEM */
export const LIST_ELEMENT = 1;

export const elementAttributes = {
  key: 1,
  data: 2,
  flags: 3,
  timeout: 4,
  expiration: 5,
  expression: 7,
  keyEnd: 10,
  expressions: 11,
} as const;

export const elementFlags = { intervalEnd: 0x1, catchAll: 0x2 } as const;

export const dataAttributes = { value: 1, verdict: 2 } as const;
export const verdictAttributes = { code: 1, chain: 2 } as const;
export const expressionAttributes = { name: 1, data: 2 } as const;
export const counterAttributes = { bytes: 1, packets: 2 } as const;

export const verdictCodes = { drop: 0, accept: 1, continue: -1, jump: -3, goto: -4, return: -5 } as const;
/** NFT_DATA_VERDICT: the data type of verdict maps. */
export const VERDICT_DATA_TYPE = 0xffffff00;
