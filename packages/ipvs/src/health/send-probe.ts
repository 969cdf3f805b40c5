/**
 * Probes on real sockets. A connection of its own for every probe: a kept one would not notice that nothing listens any more. HTTP is
 * spoken by hand, since one line is asked and one line of the answer is read; and all that is left to `exchange`, since a thread that does
 * this once a second would spend most of the time on what Node and its streams do around it.
 */

import { type Exchange, exchange, type SystemError, sockaddrIn, sockaddrIn6 } from '@fairlead/raw-socket';
import { endpoint, familyOf } from '../forwarder.js';
import { expected, type Probe, probeName } from './probe.js';
import type { ProbeOutcome } from './verdict.js';

/** `HTTP/1.1 200` and what ends the number. */
const STATUS_BYTES = 13;

/** What is asked again and again is put together once. */
const exchanges = new WeakMap<Probe, Exchange>();

/** As `SendProbe` says. The address is one: what Nodes and EndpointSlices have besides has been left out before. */
export function sendProbe(probe: Probe, done: (outcome: ProbeOutcome) => void): () => void {
  let asked = exchanges.get(probe);
  if (asked === undefined) {
    asked = exchangeOf(probe);
    exchanges.set(probe, asked);
  }
  return exchange(asked, (error, answer) => done(outcomeOf(probe, error, answer)));
}

function exchangeOf(probe: Probe): Exchange {
  const address = (familyOf(probe.address) === 'ipv4' ? sockaddrIn : sockaddrIn6)(probe);
  if (probe.kind === 'tcp') return { address, request: Buffer.alloc(0), enough: 0 };
  return { address, request: Buffer.from(requestOf(probe.address, probe.port, probe.path)), enough: STATUS_BYTES };
}

function outcomeOf(probe: Probe, error: SystemError | undefined, answer: string): ProbeOutcome {
  const problem = error === undefined ? problemOf(probe, answer) : `: ${textOf(error, probe)}`;
  return problem === undefined ? { ok: true } : { ok: false, reason: `${probeName(probe)}${problem}` };
}

function problemOf(probe: Probe, answer: string): string | undefined {
  if (probe.kind === 'tcp') return undefined;
  const status = statusOf(answer);
  if (status === undefined) return ' closes the connection without an answer';
  if (Number.isNaN(status)) return ' answers, but not HTTP';
  return expected(status, probe.expect) ? undefined : ` answers ${status}`;
}

/** As Node says it: `connect ECONNREFUSED 10.77.0.11:80`, `read ECONNRESET`. */
function textOf({ syscall, code }: SystemError, { address, port }: Probe): string {
  return syscall === 'connect' ? `${syscall} ${code} ${address}:${port}` : `${syscall} ${code}`;
}

function requestOf(address: string, port: number, path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: ${endpoint(address, port)}\r\nUser-Agent: fairlead\r\nAccept: */*\r\nConnection: close\r\n\r\n`;
}

/** The status of what an HTTP/1 server has answered so far; undefined: not there yet; NaN: this is not HTTP. */
export function statusOf(text: string): number | undefined {
  const match = /^HTTP\/1\.[01] (\d{3})(?=[ \r\n])/.exec(text);
  if (match) return Number(match[1]);
  const begun = 'HTTP/1.'.startsWith(text) || /^HTTP\/1\.[01](?: \d{0,3})?$/.test(text);
  return begun ? undefined : Number.NaN;
}
