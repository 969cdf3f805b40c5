/** Fairlead speaker: elects an owner for each VIP and announces it. */

export { type Found, readSnapshot } from './agent/snapshot.js';
export { type Speaker, type SpeakerOptions, startSpeaker } from './agent/speaker.js';
export { WireThread } from './agent/wire-thread.js';
export { SpeakerMetrics } from './metrics/metrics.js';
export type { SpeakerView } from './metrics/view.js';
export { REAL_SERVER_METRICS, virtualServersPage } from './metrics/virtual-servers.js';
export { MAX_ADDRESSES } from './vrrp/advertisement.js';
export { VrrpTransport } from './vrrp/transport.js';
export { virtualRouterId } from './vrrp/vrrp-election.js';
export * from './wire/arp.js';
export * from './wire/mac.js';
export type {
  FromWire,
  LeaseTimings,
  ToWire,
  VirtualRouterChange,
  WireOptions,
  WireUplink,
} from './wire/messages.js';
export { decodeNdpFrame, ndpProbe, unsolicitedAdvertisement } from './wire/ndp.js';
export { goFirst } from './wire/priority.js';
export { SolicitedNodeGroups } from './wire/solicited-node-groups.js';
export { vipKey } from './wire/vip-key.js';
