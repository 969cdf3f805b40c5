/**
 * Probes every node's kube-proxy from this speaker, because Node Ready lags a power-off by 40 s: one HTTP request a
 * node and interval, not one a Service. With the defaults a dead node is known at most 3 s after it died (prober.ts has the sum).
 *
 * kube-proxy answers 503 when its rules are stale or its node is about to be deleted (KEP-3836).
 *
 * Nodes that were not yet probed count as healthy; `firstRound` resolves when every node has been, so that a restarted
 * speaker does not undo for a moment what its predecessor knew.
 */
import { EventEmitter } from 'node:events';
import type { SendProbe } from './probe.js';
import { Prober, type ProberCounters, type ProberTimings } from './prober.js';
import { sendProbe } from './send-probe.js';
import { systemTimers, type Timers } from './timers.js';

export interface HealthTarget {
  /** Name of the Node. */
  name: string;
  /** The address to probe: the Node's first InternalIP. */
  address: string;
}

export const DEFAULT_PROBE_TIMINGS: ProberTimings = { intervalMs: 1_000, timeoutMs: 1_000, fall: 2, rise: 2 };
/** Of kube-proxy's health server. */
export const DEFAULT_KUBE_PROXY_PORT = 10256;

export interface NodeHealthOptions extends Partial<ProberTimings> {
  /** Of kube-proxy's health server; default 10256. */
  port?: number;
  send?: SendProbe;
  timers?: Timers;
}

export interface HealthChange {
  node: string;
  healthy: boolean;
  /** Why the last probe failed; '' when healthy. */
  reason: string;
}

/** Events: `change` (HealthChange), whenever `healthy(node)` changes its answer. */
export class NodeHealth extends EventEmitter<{ change: [HealthChange] }> {
  readonly #prober: Prober;
  readonly #port: number;

  constructor(options: NodeHealthOptions = {}) {
    super();
    const { port = DEFAULT_KUBE_PROXY_PORT, send = sendProbe, timers = systemTimers, ...timings } = options;
    this.#port = port;
    this.#prober = new Prober({
      ...DEFAULT_PROBE_TIMINGS,
      ...timings,
      send,
      timers,
      onChange: (node, healthy, reason) => this.emit('change', { node, healthy, reason }),
    });
  }

  /** Starts probing (at once, then every interval). */
  start(): void {
    this.#prober.start();
  }

  /** Stops probing and forgets what is under way. */
  stop(): void {
    this.#prober.stop();
  }

  /** The nodes to watch from now on. A node whose address changed starts anew; a new one is probed at once. */
  setNodes(targets: readonly HealthTarget[]): void {
    const wanted = new Set(targets.map(({ name }) => name));
    for (const name of [...this.#prober.keys()]) if (!wanted.has(name)) this.#prober.remove(name);
    for (const { name, address } of targets) {
      this.#prober.set(name, { kind: 'http', address, port: this.#port, path: '/healthz', expect: '200' });
    }
  }

  /** false only for a watched node whose probes fail. */
  healthy(node: string): boolean {
    return this.#prober.healthy(node);
  }

  /** Resolves when every node that is watched now has answered a probe or failed it (or is no longer watched). */
  firstRound(): Promise<void> {
    return this.#prober.firstRound();
  }

  counters(): ProberCounters {
    return this.#prober.counters();
  }
}
