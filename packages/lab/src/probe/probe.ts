/** Probing and asking from any host of the lab: the orchestrator's side of the prober and requester processes. */
import { fileURLToPath } from 'node:url';
import type { LabHost } from '../datacentre/host.js';
import { LabError } from '../datacentre/lab-error.js';
import type { LabProcess } from '../datacentre/process.js';
import type { EchoAnswer } from '../node/echo.js';
import { type ProbeAttempt, type ProbeReport, summarize } from './report.js';

const PROBER = fileURLToPath(new URL('./prober.js', import.meta.url));
const REQUESTER = fileURLToPath(new URL('./requester.js', import.meta.url));
const END_TIMEOUT_MS = 30_000;

export interface ProbeTarget {
  address: string;
  port: number;
  /** A new attempt so often; default 10. */
  intervalMs?: number;
  /** An attempt that took longer has failed; default 200. */
  timeoutMs?: number;
}

/** TCP connections from a host's network, over and over, until stopped. */
export class Probe {
  readonly process: LabProcess;
  readonly #attempts: ProbeAttempt[] = [];
  #waiting: { done: (attempts: readonly ProbeAttempt[]) => boolean; resolve: () => void }[] = [];
  #missed = 0;

  constructor(process: LabProcess) {
    this.process = process;
    process.on('line', (line, stream) => {
      if (stream === 'stdout') this.#read(line);
    });
  }

  /** The attempts that are decided so far, in the order in which they were. */
  get attempts(): readonly ProbeAttempt[] {
    return this.#attempts;
  }

  /**
   * Resolves when `done` holds for the attempts made so far: looked at now and after each one.
   * @throws LabError FL_LAB_TIMEOUT after `timeoutMs`, FL_LAB_PROCESS when the prober dies
   */
  until(what: string, done: (attempts: readonly ProbeAttempt[]) => boolean, timeoutMs = 60_000): Promise<void> {
    if (done(this.#attempts)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const waiter = { done, resolve: () => settle(resolve) };
      const settle = (then: () => void) => {
        clearTimeout(timer);
        this.process.off('exit', onExit);
        this.#waiting = this.#waiting.filter((other) => other !== waiter);
        then();
      };
      const onExit = () => settle(() => reject(new LabError('FL_LAB_PROCESS', `the prober ended before ${what}`)));
      const timer = setTimeout(() => {
        const last = this.#attempts.slice(-5).map((attempt) => attempt.outcome);
        const message = `${what} did not happen within ${timeoutMs / 1000} s; the last attempts: ${last.join(', ')}`;
        settle(() => reject(new LabError('FL_LAB_TIMEOUT', message)));
      }, timeoutMs);
      this.process.on('exit', onExit);
      this.#waiting.push(waiter);
    });
  }

  /** Lets the attempts that are under way end, and sums up. */
  async stop(): Promise<ProbeReport> {
    const ended = this.process.waitFor(
      'it had ended',
      (line) => (line.startsWith('end ') ? Number(line.slice(4)) : undefined),
      END_TIMEOUT_MS,
    );
    this.process.end();
    this.#missed = await ended;
    await this.process.exited;
    return this.report();
  }

  /** What the attempts so far amount to. */
  report(): ProbeReport {
    return summarize(this.#attempts, this.#missed);
  }

  #read(line: string): void {
    const [startMs = '', durationMs = '', outcome] = line.split(' ');
    if (outcome === undefined) return; // `end`
    this.#attempts.push({ startMs: Number(startMs), durationMs: Number(durationMs), outcome });
    for (const waiter of this.#waiting) if (waiter.done(this.#attempts)) waiter.resolve();
  }
}

/** Starts probing `address:port` from `host`; the first attempt is made at once. */
export function startProbe(host: LabHost, target: ProbeTarget): Probe {
  const { address, port, intervalMs = 10, timeoutMs = 200 } = target;
  const argv = [process.execPath, PROBER, address, String(port), String(intervalMs), String(timeoutMs)];
  return new Probe(host.spawn(`probe-${address}-${port}`, argv));
}

export interface RequestsTarget {
  address: string;
  port: number;
  count: number;
  /** Of each request; default 2000. */
  timeoutMs?: number;
  path?: string;
}

/** What came back from the pods; `total` = sum of `perPod` + `failures`. */
export interface RequestsReport {
  total: number;
  failures: number;
  /** Error (errno name, `timeout` or HTTP status) → how often. */
  errors: Record<string, number>;
  perPod: Record<string, number>;
  perNode: Record<string, number>;
  /** Client addresses as the pods saw them. */
  clients: Record<string, number>;
}

/** Sends requests one after the other, each on a new connection, from `host`. */
export async function sendRequests(host: LabHost, target: RequestsTarget): Promise<RequestsReport> {
  const { address, port, count, timeoutMs = 2_000, path = '/' } = target;
  const argv = [process.execPath, REQUESTER, address, String(port), String(count), String(timeoutMs), path];
  const { code, stdout, stderr } = await host.exec(argv);
  if (code !== 0) {
    throw new LabError(
      'FL_LAB_PROCESS',
      `requests from ${host.name} to ${address}:${port} ended with ${code}: ${stderr}`,
    );
  }
  const { answers, errors } = JSON.parse(stdout) as { answers: EchoAnswer[]; errors: string[] };
  return {
    total: count,
    failures: errors.length,
    errors: tally(errors),
    perPod: tally(answers.map((answer) => answer.pod)),
    perNode: tally(answers.map((answer) => answer.node)),
    clients: tally(answers.map((answer) => answer.client)),
  };
}

function tally(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
