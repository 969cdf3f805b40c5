/**
 * Probes every node's kube-proxy from this speaker, because Node Ready lags a power-off by 40 s: one HTTP request a
 * node and interval, not one a Service. With the defaults a dead node is known at most 3 s after it died: the probe
 * that starts within the next second and the one after it have both failed one second (the time-out) after the latter.
 *
 * Nodes that were not yet probed count as healthy; `firstRound` resolves when every node has been, so that a restarted
 * speaker does not undo for a moment what its predecessor knew.
 */
import { EventEmitter } from 'node:events';
import { Agent, request } from 'node:http';
import { endpoint } from './forwarder.js';
import { type HealthState, observe, type ProbeOutcome, unknownHealth } from './health-state.js';

export interface HealthTarget {
  /** Name of the Node. */
  name: string;
  /** The address to probe: the Node's first InternalIP. */
  address: string;
}

export interface NodeHealthOptions {
  intervalMs?: number; // default 1000
  /** For the whole exchange, from connect to status line. Default 1000. */
  timeoutMs?: number;
  /** Failures in a row until unhealthy; default 2. */
  fall?: number;
  /** Successes in a row until healthy again; default 2. */
  rise?: number;
  /** Of kube-proxy's health server; default 10256. */
  port?: number;
  /** Replaces the HTTP request, for tests. Must settle soon after the signal; a rejection is a failed probe. */
  probe?: (target: HealthTarget, signal: AbortSignal) => Promise<ProbeOutcome>;
}

export interface HealthChange {
  node: string;
  healthy: boolean;
  /** Why the last probe failed; '' when healthy. */
  reason: string;
}

interface Watched {
  target: HealthTarget;
  state: HealthState;
  pending: Set<AbortController>;
  /** No longer watched: late outcomes must not speak of its successor. */
  gone: boolean;
}

/** Events: `change` (HealthChange), whenever `healthy(node)` changes its answer. */
export class NodeHealth extends EventEmitter<{ change: [HealthChange] }> {
  readonly #options: Required<Omit<NodeHealthOptions, 'probe'>>;
  readonly #probe: NonNullable<NodeHealthOptions['probe']>;
  readonly #nodes = new Map<string, Watched>();
  #timer: NodeJS.Timeout | undefined;
  #round = 0;
  #waiting: { names: Set<string>; resolve: () => void }[] = [];

  constructor(options: NodeHealthOptions = {}) {
    super();
    this.#options = { intervalMs: 1000, timeoutMs: 1000, fall: 2, rise: 2, port: 10256, ...options };
    this.#probe = options.probe ?? httpProbe(this.#options.port);
  }

  /** Starts probing (at once, then every interval). */
  start(): void {
    if (this.#timer) return;
    this.#timer = setInterval(() => this.#probeAll(), this.#options.intervalMs);
    this.#probeAll();
  }

  /** Stops probing and forgets what is under way. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const name of [...this.#nodes.keys()]) this.#forget(name);
  }

  /** The nodes to watch from now on. A node whose address changed starts anew; a new one is probed at once. */
  setNodes(targets: readonly HealthTarget[]): void {
    const wanted = new Map(targets.map((target) => [target.name, target]));
    for (const [name, { target }] of this.#nodes) {
      if (wanted.get(name)?.address !== target.address) this.#forget(name);
    }
    for (const target of targets) {
      if (this.#nodes.has(target.name)) continue;
      this.#nodes.set(target.name, { target, state: unknownHealth, pending: new Set(), gone: false });
      if (this.#timer) this.#probeOne(this.#nodes.get(target.name)!, this.#round++);
    }
  }

  /** false only for a watched node whose probes fail. */
  healthy(node: string): boolean {
    return this.#nodes.get(node)?.state.verdict !== 'unhealthy';
  }

  /** Resolves when every node that is watched now has answered a probe or failed it (or is no longer watched). */
  firstRound(): Promise<void> {
    const names = new Set(
      [...this.#nodes].filter(([, { state }]) => state.verdict === 'unknown').map(([name]) => name),
    );
    if (names.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ names, resolve }));
  }

  #probeAll(): void {
    const round = this.#round++;
    for (const watched of this.#nodes.values()) this.#probeOne(watched, round);
  }

  #probeOne(watched: Watched, round: number): void {
    const { timeoutMs } = this.#options;
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), timeoutMs);
    // However it is ended, nothing of a probe stays behind.
    controller.signal.addEventListener('abort', () => clearTimeout(timer));
    watched.pending.add(controller);
    const failed = (error: unknown): ProbeOutcome => ({
      ok: false,
      reason: controller.signal.aborted ? `no answer within ${timeoutMs} ms` : message(error),
    });
    void this.#probe(watched.target, controller.signal)
      .catch(failed)
      .then((outcome) => {
        clearTimeout(timer);
        watched.pending.delete(controller);
        this.#observe(watched, round, outcome);
      });
  }

  #observe(watched: Watched, round: number, outcome: ProbeOutcome): void {
    if (watched.gone) return;
    const { name } = watched.target;
    const before = this.healthy(name);
    watched.state = observe(watched.state, round, outcome, this.#options);
    this.#settled(name);
    const healthy = this.healthy(name);
    if (healthy !== before) this.emit('change', { node: name, healthy, reason: watched.state.reason });
  }

  #forget(name: string): void {
    const watched = this.#nodes.get(name)!;
    this.#nodes.delete(name);
    watched.gone = true;
    for (const controller of watched.pending) controller.abort();
    this.#settled(name);
  }

  #settled(name: string): void {
    if (this.#waiting.length === 0) return;
    for (const waiter of this.#waiting) {
      waiter.names.delete(name);
      if (waiter.names.size === 0) waiter.resolve();
    }
    this.#waiting = this.#waiting.filter(({ names }) => names.size > 0);
  }
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * GET /healthz: 200 is healthy. kube-proxy answers 503 when its rules are stale or its node is about to be deleted
 * (KEP-3836). A connection of its own for every probe: a kept one would not notice that nothing listens any more.
 */
function httpProbe(port: number): (target: HealthTarget, signal: AbortSignal) => Promise<ProbeOutcome> {
  const agent = new Agent({ keepAlive: false });
  return ({ address }, signal) =>
    new Promise((resolve, reject) => {
      const url = `http://${endpoint(address, port)}/healthz`;
      const probe = request(url, { agent, signal }, (response) => {
        response.resume();
        response.on('error', () => {}); // the status line is all that is asked for; what follows may break off
        if (response.statusCode === 200) resolve({ ok: true });
        else resolve({ ok: false, reason: `${url} answers ${response.statusCode}` });
      });
      probe.on('error', reject);
      probe.end();
    });
}
