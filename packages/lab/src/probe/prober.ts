/**
 * The prober process: one TCP connection every `intervalMs`, on an absolute schedule, each reported as one line
 * `<start epoch ms> <duration ms> <outcome>`, until stdin ends; then `end <missed>`.
 *
 *     node prober.js ADDRESS PORT INTERVAL_MS TIMEOUT_MS
 *
 * A process of its own, without imports, so that nothing but the network delays an attempt. Connections are closed
 * by RST: a hundred a second would otherwise fill the port range with TIME_WAIT.
 */
import { Socket } from 'node:net';

const [address = '', port = '', intervalText = '', timeoutText = ''] = process.argv.slice(2);
const intervalMs = Number(intervalText);
const timeoutMs = Number(timeoutText);

const epoch = performance.timeOrigin;
const beginMs = performance.now();
let slot = 0;
let missed = 0;
let pending = 0;
let stopping = false;

function attempt(): void {
  const startMs = performance.now();
  const socket = new Socket();
  pending += 1;
  let done = false;
  const finish = (outcome: string) => {
    if (done) return;
    done = true;
    clearTimeout(timer);
    const durationMs = performance.now() - startMs;
    process.stdout.write(`${(epoch + startMs).toFixed(2)} ${durationMs.toFixed(2)} ${outcome}\n`);
    socket.resetAndDestroy();
    pending -= 1;
    endWhenDone();
  };
  // An answer that came while this process had no processor is read before the attempt is given up.
  const timer = setTimeout(() => setImmediate(() => finish('timeout')), timeoutMs);
  socket.on('error', (error: NodeJS.ErrnoException) => finish(error.code ?? error.message));
  socket.connect({ host: address, port: Number(port) }, () => finish('connected'));
}

function next(): void {
  if (stopping) return;
  const elapsedMs = performance.now() - beginMs;
  const due = Math.floor(elapsedMs / intervalMs);
  missed += Math.max(0, due - slot);
  slot = Math.max(due, slot) + 1;
  attempt();
  setTimeout(next, Math.max(0, slot * intervalMs - (performance.now() - beginMs)));
}

function endWhenDone(): void {
  if (stopping && pending === 0) process.stdout.write(`end ${missed}\n`, () => process.exit(0));
}

process.stdin.on('end', () => {
  stopping = true;
  endWhenDone();
});
process.stdin.resume();
next();
