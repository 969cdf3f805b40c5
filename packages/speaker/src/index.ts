/** Fairlead speaker: elects an owner for each VIP and announces it. */

export { type Speaker, type SpeakerOptions, startSpeaker } from './agent/speaker.js';
export * from './wire/arp.js';
export * from './wire/mac.js';
export type { LeaseTimings } from './wire/messages.js';
