/** AF_PACKET, AF_NETLINK and raw IP sockets on the Node.js event loop, in any network namespace. */

export type { Absorbed } from './absorb.js';
export {
  type Internet6Address,
  type InternetAddress,
  type LinkLayerAddress,
  type NetlinkAddress,
  parseSockaddrIn,
  parseSockaddrIn6,
  parseSockaddrLl,
  parseSockaddrNl,
  type ReceivedLinkLayerAddress,
  sockaddrIn,
  sockaddrIn6,
  sockaddrLl,
  sockaddrNl,
} from './address.js';
export { BPF, type BpfInstruction, DROP_ALL } from './bpf.js';
export { type Constants, constants } from './constants.js';
export { isSystemError, type SystemError } from './errors.js';
export { type Exchange, exchange } from './exchange.js';
export { createNetns, deleteNetns, inNetns, listNetns, netnsPath } from './netns.js';
export type { ControlMessage, Message } from './receive.js';
export type { Repeated, Repetition } from './repeat.js';
export {
  packDatagrams,
  packetProtocol,
  RawSocket,
  type SocketOptions,
} from './socket.js';
