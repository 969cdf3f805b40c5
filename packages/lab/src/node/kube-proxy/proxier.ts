/**
 * The running part of the kube-proxy stand-in: every change of a Service or EndpointSlice leads to one nft
 * transaction, changes that come together share one, and never do two run at once.
 */
import type { V1EndpointSlice, V1Service } from '@kubernetes/client-node';
import type { ProxyHealth } from './health.js';
import { renderRuleset } from './render.js';
import { buildRuleset, type Ruleset } from './ruleset.js';
import { type ProxyNode, type ServicePort, servicePorts } from './service-ports.js';

const COALESCE_MS = 10; // one `kubectl apply` or one slice rewrite comes as a handful of events
const RETRY_MS = 1_000; // after nft failed; kube-proxy retries after its sync period of 30 s
const STALE_CHAIN_MS = 1_000; // how long a kernel before 6.2 may hold references of deleted elements (kube-proxy waits as long)

export interface ProxierOptions {
  node: ProxyNode;
  services: () => readonly V1Service[];
  slices: () => readonly V1EndpointSlice[];
  /** Runs one nft transaction. */
  load: (text: string) => Promise<void>;
  health: ProxyHealth;
  onSynced: (ports: readonly ServicePort[]) => void;
  onError: (error: Error) => void;
  /** How long to wait after nft failed. */
  retryMs?: number;
}

export class Proxier {
  readonly #options: ProxierOptions;
  readonly #leftovers = new Leftovers();
  #timer: NodeJS.Timeout | undefined;
  #running = false;
  #again = false;
  #loaded = '';
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
    const { node, services, slices, load, health, onSynced, onError } = this.#options;
    this.#running = true;
    this.#again = false;
    let failed = false;
    const startMs = performance.now();
    try {
      const ports = servicePorts(services(), slices(), node);
      const ruleset = buildRuleset(ports, node);
      const stale = this.#leftovers.removable(ruleset, performance.now());
      const text = renderRuleset(ruleset, stale);
      if (text !== this.#loaded) {
        await load(text);
        this.#loaded = renderRuleset(ruleset);
        this.#leftovers.loaded(ruleset, stale, performance.now());
      }
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

/** What the table still holds of Services and endpoints that are gone. */
export class Leftovers {
  readonly #chains = new Map<string, number | undefined>(); // name → since when nothing refers to it
  readonly #affinitySets = new Set<string>();

  /** What the transaction that loads `ruleset` may delete. */
  removable(ruleset: Ruleset, nowMs: number): { chains: string[]; affinitySets: string[] } {
    return {
      chains: [...this.#chains]
        .filter(([name, since]) => since !== undefined && nowMs - since > STALE_CHAIN_MS && !ruleset.chains.has(name))
        .map(([name]) => name),
      affinitySets: [...this.#affinitySets].filter((name) => !ruleset.affinitySets.has(name)),
    };
  }

  /** That transaction went through. */
  loaded(ruleset: Ruleset, removed: { chains: string[]; affinitySets: string[] }, nowMs: number): void {
    for (const name of removed.chains) this.#chains.delete(name);
    for (const name of removed.affinitySets) this.#affinitySets.delete(name);
    for (const name of ruleset.affinitySets.keys()) this.#affinitySets.add(name);
    for (const [name, since] of this.#chains) if (!ruleset.chains.has(name)) this.#chains.set(name, since ?? nowMs);
    for (const name of ruleset.chains.keys()) this.#chains.set(name, undefined);
  }
}
