/** What a probe is: one question to one address and port. Pure. */

import { endpoint } from '../forwarder.js';
import type { ProbeOutcome } from './verdict.js';

export type Probe =
  /** Passes when the connection is accepted. */
  | { kind: 'tcp'; address: string; port: number }
  /** GET; passes when the status is one of `expect`: `200` that one alone, `2xx-3xx` 200 to 399. */
  | { kind: 'http'; address: string; port: number; path: string; expect: '200' | '2xx-3xx' };

/**
 * Sends a probe. `done` is called at most once, never from within the call, and not after the returned function, which gives the
 * probe up. How long an answer may take is the caller's affair.
 */
export type SendProbe = (probe: Probe, done: (outcome: ProbeOutcome) => void) => () => void;

/** `tcp 10.77.0.11:30080`, `http://10.77.0.11:10256/healthz`: for people, and the same for the same question only. */
export function probeName(probe: Probe): string {
  const where = endpoint(probe.address, probe.port);
  if (probe.kind === 'tcp') return `tcp ${where}`;
  return `http://${where}${probe.path}${probe.expect === '200' ? '' : ` ${probe.expect}`}`;
}

export function expected(status: number, expect: '200' | '2xx-3xx'): boolean {
  return expect === '200' ? status === 200 : status >= 200 && status < 400;
}
