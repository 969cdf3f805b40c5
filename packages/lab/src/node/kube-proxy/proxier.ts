/**
 * The running part of the kube-proxy stand-in: every change of a Service or EndpointSlice leads to one transaction of
 * its mode, changes that come together share one, and never do two run at once.
 */
import type { V1EndpointSlice, V1Service } from '@kubernetes/client-node';
import type { ProxyHealth } from './health.js';
import type { ProxyMode } from './mode.js';
import { type ProxyNode, type ServicePort, servicePorts } from './service-ports.js';

const COALESCE_MS = 10; // one `kubectl apply` or one slice rewrite comes as a handful of events
const RETRY_MS = 1_000; // after a transaction failed; kube-proxy retries after its sync period of 30 s

export interface ProxierOptions {
  node: ProxyNode;
  services: () => readonly V1Service[];
  slices: () => readonly V1EndpointSlice[];
  mode: ProxyMode;
  health: ProxyHealth;
  onSynced: (ports: readonly ServicePort[]) => void;
  onError: (error: Error) => void;
  /** How long to wait after a transaction failed. */
  retryMs?: number;
}

export class Proxier {
  readonly #options: ProxierOptions;
  #timer: NodeJS.Timeout | undefined;
  #running = false;
  #again = false;
  /** A transaction is followed by a pause as long as it took: thousands of Services must not keep a machine busy. */
  #notBeforeMs = 0;
  #stopped = false;

  constructor(options: ProxierOptions) {
    this.#options = options;
  }

  /** Something changed: the rules follow within some milliseconds. */
  queue(): void {
    if (this.#stopped) return;
    this.#options.health.queued();
    if (this.#running) this.#again = true;
    else this.#schedule(COALESCE_MS);
  }

  /** No transaction starts after this. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #schedule(delayMs: number): void {
    if (this.#stopped || this.#timer !== undefined) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        void this.#sync();
      },
      Math.max(delayMs, this.#notBeforeMs - performance.now()),
    );
  }

  async #sync(): Promise<void> {
    const { node, services, slices, mode, health, onSynced, onError } = this.#options;
    this.#running = true;
    this.#again = false;
    let failed = false;
    const startMs = performance.now();
    try {
      const ports = servicePorts(services(), slices(), node);
      await mode.load(ports);
      health.updated();
      onSynced(ports);
    } catch (error) {
      failed = true;
      onError(error as Error);
    }
    this.#running = false;
    this.#notBeforeMs = 2 * performance.now() - startMs;
    if (failed) this.#schedule(this.#options.retryMs ?? RETRY_MS);
    else if (this.#again) this.#schedule(COALESCE_MS);
  }
}
