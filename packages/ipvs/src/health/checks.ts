/**
 * Probes on behalf of Services: kube-proxy's health check NodePorts, and the real servers of Services with a check of their own. Each
 * question is asked once, however many Services want to know the answer; questions to nodes that are known to be dead are
 * not asked at all; and all of them together stay within a rate, so that many Services do not become a storm of probes.
 */

import { EventEmitter } from 'node:events';
import { DEFAULT_PROBE_TIMINGS } from './node-health.js';
import { type Probe, probeName, type SendProbe } from './probe.js';
import { Prober, type ProberCounters, type ProberTimings } from './prober.js';
import { sendProbe } from './send-probe.js';
import { systemTimers, type Timers } from './timers.js';

export interface Check {
  /** What is judged, in the Service's own terms: a node's name, `address:port`. */
  subject: string;
  probe: Probe;
  /** The node that has to be alive for an answer; absent: not known. */
  node?: string;
}

export interface CheckChange {
  service: string;
  check: Check;
  healthy: boolean;
  /** Why the last probe failed; '' when healthy. */
  reason: string;
}

export interface ChecksOptions extends Partial<ProberTimings> {
  /** Probes a second at most; beyond that the interval stretches. Default 500. */
  perSecond?: number;
  /** Unanswered probes at the same time at most. Default 256. */
  concurrency?: number;
  /** Whether a node answers at all; default: all do. */
  nodeAlive?: (node: string) => boolean;
  send?: SendProbe;
  timers?: Timers;
}

const DEFAULT_PER_SECOND = 500;
const DEFAULT_CONCURRENCY = 256;

interface Question {
  node: string | undefined;
  /** Who wants to know: by Service, then subject. */
  asked: Map<string, Map<string, Check>>;
}

/** Events: `change` (CheckChange), whenever `healthy(service, subject)` changes its answer, also because nobody asks any more. */
export class Checks extends EventEmitter<{ change: [CheckChange] }> {
  readonly #prober: Prober;
  /** By probeName. */
  readonly #questions = new Map<string, Question>();
  /** By Service and subject: probeName. */
  readonly #services = new Map<string, Map<string, string>>();

  constructor(options: ChecksOptions = {}) {
    super();
    const { send = sendProbe, timers = systemTimers, nodeAlive = () => true, ...rest } = options;
    this.#prober = new Prober({
      ...DEFAULT_PROBE_TIMINGS,
      perSecond: DEFAULT_PER_SECOND,
      concurrency: DEFAULT_CONCURRENCY,
      ...rest,
      send,
      timers,
      skip: (name) => {
        const node = this.#questions.get(name)?.node;
        return node !== undefined && !nodeAlive(node);
      },
      onChange: (name, healthy, reason) => {
        for (const [service, checks] of this.#questions.get(name)!.asked) {
          for (const check of checks.values()) this.emit('change', { service, check, healthy, reason });
        }
      },
    });
  }

  start(): void {
    this.#prober.start();
  }

  stop(): void {
    this.#prober.stop();
    this.#questions.clear();
    this.#services.clear();
  }

  /** All checks of a Service from now on; none: it is forgotten. What was asked before and is asked still keeps its verdict. */
  set(service: string, checks: readonly Check[]): void {
    const before = this.#services.get(service);
    const now = new Map(checks.map(({ subject, probe }) => [subject, probeName(probe)]));
    if (now.size === 0) this.#services.delete(service);
    else this.#services.set(service, now);
    for (const [subject, name] of before ?? []) {
      if (now.get(subject) !== name) this.#drop(name, service, subject);
    }
    for (const check of checks) {
      const name = probeName(check.probe);
      if (before?.get(check.subject) !== name) this.#ask(name, service, check);
    }
  }

  /** false only for a subject whose probes fail. */
  healthy(service: string, subject: string): boolean {
    const name = this.#services.get(service)?.get(subject);
    return name === undefined || this.#prober.healthy(name);
  }

  /** Services that have checks. */
  services(): Iterable<string> {
    return this.#services.keys();
  }

  /** As `NodeHealth.firstRound`; what is not asked because its node is dead does not hold it up. */
  firstRound(): Promise<void> {
    return this.#prober.firstRound();
  }

  counters(): ProberCounters {
    return this.#prober.counters();
  }

  #ask(name: string, service: string, check: Check): void {
    const question: Question = this.#questions.get(name) ?? { node: check.node, asked: new Map() };
    this.#questions.set(name, question);
    const checks = question.asked.get(service) ?? new Map<string, Check>();
    question.asked.set(service, checks.set(check.subject, check));
    this.#prober.set(name, check.probe);
    if (this.#prober.healthy(name)) return;
    this.emit('change', { service, check, healthy: false, reason: this.#prober.reason(name) });
  }

  #drop(name: string, service: string, subject: string): void {
    const question = this.#questions.get(name)!;
    const checks = question.asked.get(service)!;
    const check = checks.get(subject)!;
    const failed = !this.#prober.healthy(name);
    checks.delete(subject);
    if (checks.size === 0) question.asked.delete(service);
    if (question.asked.size === 0) {
      this.#questions.delete(name);
      this.#prober.remove(name);
    }
    if (failed) this.emit('change', { service, check, healthy: true, reason: '' });
  }
}
