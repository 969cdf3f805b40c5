/**
 * Probes on real sockets. A connection of its own for every probe: a kept one would not notice that nothing listens any more. HTTP is
 * spoken by hand, since one line is asked and one line of the answer is read: node:http costs up to twice the CPU time a probe. Nor is
 * what is read passed through a stream.
 */

import { connect } from 'node:net';
import { endpoint } from '../forwarder.js';
import { expected, type Probe, probeName } from './probe.js';
import type { ProbeOutcome } from './verdict.js';

/** For all sockets: each says at once what it has read. */
const buffer = Buffer.alloc(1_024);

/** As `SendProbe` says. */
export function sendProbe(probe: Probe, done: (outcome: ProbeOutcome) => void): () => void {
  let heard = (_: string) => {};
  const callback = (length: number) => {
    heard(buffer.toString('latin1', 0, length));
    return true;
  };
  const socket = connect({ host: probe.address, port: probe.port, noDelay: true, onread: { buffer, callback } });
  const close = () => {
    heard = () => {};
    socket.removeAllListeners();
    socket.on('error', () => {}); // what happens to a connection after its answer says nothing
    socket.destroy();
  };
  const end = (outcome: ProbeOutcome) => {
    close();
    done(outcome);
  };
  const name = probeName(probe);
  socket.on('error', (error) => end({ ok: false, reason: `${name}: ${error.message}` }));
  if (probe.kind === 'tcp') {
    socket.on('connect', () => end({ ok: true }));
  } else {
    let text = '';
    socket.on('connect', () => socket.write(requestOf(probe.address, probe.port, probe.path)));
    heard = (part) => {
      text += part;
      const status = statusOf(text);
      if (status === undefined) return;
      if (Number.isNaN(status)) end({ ok: false, reason: `${name} answers, but not HTTP` });
      else if (expected(status, probe.expect)) end({ ok: true });
      else end({ ok: false, reason: `${name} answers ${status}` });
    };
    socket.on('end', () => end({ ok: false, reason: `${name} closes the connection without an answer` }));
  }
  return close;
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
