/** Fairlead speaker: elects an owner for each VIP and announces it. */

export { type Speaker, type SpeakerOptions, startSpeaker } from './agent/speaker.js';
export { SpeakerMetrics } from './metrics/metrics.js';
export type { SpeakerView } from './metrics/view.js';
export { REAL_SERVER_METRICS, virtualServersPage } from './metrics/virtual-servers.js';
export * from './wire/arp.js';
export * from './wire/mac.js';
export type { LeaseTimings } from './wire/messages.js';
