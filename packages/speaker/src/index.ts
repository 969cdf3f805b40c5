/** Fairlead speaker: elects an owner for each VIP and announces it. */

export { type Speaker, type SpeakerOptions, startSpeaker } from './agent/speaker.js';
export { SpeakerMetrics } from './metrics/metrics.js';
export type { SpeakerView } from './metrics/view.js';
export { scrapeVirtualServers, virtualServerRegistry } from './metrics/virtual-servers.js';
export * from './wire/arp.js';
export * from './wire/mac.js';
export type { LeaseTimings } from './wire/messages.js';
