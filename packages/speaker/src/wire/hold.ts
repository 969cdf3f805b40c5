/** How long a node whose speaker is dead or frozen stays in the way (packages/ipvs, dead-mans-switch.ts). */

import type { SignLife } from '@fairlead/ipvs';
import type { LeaseTimings } from './messages.js';

export const HOLD_EVERY_MS = 500;

/**
 * For how long after its last sign of life an owner counts as alive to its own kernel: less than others wait for it. One sign a renewal would do for
 * a Lease, three a wait do for VRRP (three advertisements and a bit).
 */
export function aliveMs(engine: 'lease' | 'vrrp', { intervalMs }: { intervalMs: number }): number {
  return engine === 'lease' ? 3 * HOLD_EVERY_MS : Math.floor(2.5 * intervalMs);
}

/** Of what is owned by either engine. */
export function signLives(vrrp: { intervalMs: number }): SignLife[] {
  return [
    { aliveMs: aliveMs('lease', vrrp), everyMs: HOLD_EVERY_MS },
    { aliveMs: aliveMs('vrrp', vrrp), everyMs: vrrp.intervalMs },
  ];
}

const KERNEL_LATE_MS = 1_000;

/** How long a speaker that stops waits for others to take over, ms. */
export const HAND_OVER_MS = 2_500;

/** What the kernel is given when a speaker stops and nobody else has taken over: long enough for an upgrade that pulls an image. */
export const ALONE_SECONDS = 300;

/**
 * What the kernel is given: a second more than others wait for a silent owner, so that clients are served until they take over, and not
 * much longer.
 */
export function switchSeconds({ leaseDurationMs }: Pick<LeaseTimings, 'leaseDurationMs'>): number {
  return Math.ceil(leaseDurationMs / 1000) + 1;
}

/** From the last sign of life of an owner to the moment when nothing gets into its director for certain, ms. */
export function closedMs(timings: Pick<LeaseTimings, 'leaseDurationMs'>): number {
  return switchSeconds(timings) * 1000 + KERNEL_LATE_MS;
}

/** From the end of a node's Lease to the moment when its kernel has let go for certain, ms. */
export function lingeringMs(timings: Pick<LeaseTimings, 'leaseDurationMs'>): number {
  return closedMs(timings) - timings.leaseDurationMs + HOLD_EVERY_MS;
}
