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
  subject: string;
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
  /** Who wants to know: Service, then subjects. */
  asked: Map<string, Set<string>>;
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
        for (const [service, subjects] of this.#questions.get(name)!.asked) {
          for (const subject of subjects) this.emit('change', { service, subject, healthy, reason });
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
    for (const { subject, probe, node } of checks) {
      const name = probeName(probe);
      if (before?.get(subject) !== name) this.#ask(name, probe, node, service, subject);
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

  #ask(name: string, probe: Probe, node: string | undefined, service: string, subject: string): void {
    const question: Question = this.#questions.get(name) ?? { node, asked: new Map() };
    this.#questions.set(name, question);
    const subjects = question.asked.get(service) ?? new Set();
    question.asked.set(service, subjects.add(subject));
    this.#prober.set(name, probe);
    if (!this.#prober.healthy(name)) {
      this.emit('change', { service, subject, healthy: false, reason: this.#prober.reason(name) });
    }
  }

  #drop(name: string, service: string, subject: string): void {
    const question = this.#questions.get(name)!;
    const subjects = question.asked.get(service)!;
    const failed = !this.#prober.healthy(name);
    subjects.delete(subject);
    if (subjects.size === 0) question.asked.delete(service);
    if (question.asked.size === 0) {
      this.#questions.delete(name);
      this.#prober.remove(name);
    }
    if (failed) this.emit('change', { service, subject, healthy: true, reason: '' });
  }
}
