/** Numbers of linux/netfilter/nfnetlink_conntrack.h; the bits of a filter are in net/netfilter/nf_internals.h. */

export const commands = { new: 0, get: 1, delete: 2, getCpuStatistics: 4, getStatistics: 5 } as const;

export const entryAttributes = {
  original: 1,
  reply: 2,
  status: 3,
  protocolInfo: 4,
  timeout: 7,
  mark: 8,
  countersOriginal: 9,
  countersReply: 10,
  id: 12,
  zone: 18,
  markMask: 21,
  filter: 25,
} as const;

export const tupleAttributes = { ip: 1, protocol: 2 } as const;
export const ipAttributes = { source4: 1, destination4: 2, source6: 3, destination6: 4 } as const;
export const protocolAttributes = {
  number: 1,
  sourcePort: 2,
  destinationPort: 3,
  icmpId: 4,
  icmpType: 5,
  icmpCode: 6,
  icmp6Id: 7,
  icmp6Type: 8,
  icmp6Code: 9,
} as const;

export const counterAttributes = { packets: 1, bytes: 2 } as const;
/** What of protocolInfo is TCP's or SCTP's, and in there the state. */
export const protocolInfoAttributes = { tcp: 1, sctp: 3, state: 1 } as const;

export const filterAttributes = { original: 1, reply: 2 } as const;
/** Which fields of a tuple a filter compares. */
export const filterBits = {
  source: 1 << 0,
  destination: 1 << 1,
  protocol: 1 << 3,
  sourcePort: 1 << 4,
  destinationPort: 1 << 5,
} as const;

export const globalAttributes = { entries: 1, maximum: 2 } as const;
export const cpuAttributes = {
  found: 2,
  invalid: 4,
  insert: 8,
  insertFailed: 9,
  drop: 10,
  earlyDrop: 11,
  error: 12,
  searchRestart: 13,
  clashResolve: 14,
  chainTooLong: 15,
} as const;

export const tcpStates = [
  'NONE',
  'SYN_SENT',
  'SYN_RECV',
  'ESTABLISHED',
  'FIN_WAIT',
  'CLOSE_WAIT',
  'LAST_ACK',
  'TIME_WAIT',
  'CLOSE',
  'SYN_SENT2',
] as const;
export const sctpStates = [
  'NONE',
  'CLOSED',
  'COOKIE_WAIT',
  'COOKIE_ECHOED',
  'ESTABLISHED',
  'SHUTDOWN_SENT',
  'SHUTDOWN_RECD',
  'SHUTDOWN_ACK_SENT',
  'HEARTBEAT_SENT',
] as const;
