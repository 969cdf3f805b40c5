/** Who is healthy: nodes, and what Services have asked for. */

export * from './check-annotation.js';
export * from './checks.js';
export * from './node-health.js';
export { type Probe, probeName, type SendProbe } from './probe.js';
export type { ProberCounters, ProberTimings } from './prober.js';
export type { Timers } from './timers.js';
export type { ProbeOutcome } from './verdict.js';
