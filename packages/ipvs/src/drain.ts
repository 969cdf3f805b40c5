/**
 * Which real servers are being drained, and when each of them is done. Pure: the clock and the kernel's counts come
 * from outside.
 *
 * A drain's time counts from the first time that it is looked at, and only a later look can end it: so what a
 * scheduler on another CPU had just chosen when the weight became 0 is counted before anything is deleted. The pauses
 * between looks at a virtual server grow, because each of them is a request to the kernel, and one look takes at most
 * MAX_LOOKS virtual servers: thousands of drains at once (a node that is taken out of service) must not keep the
 * process from its other work.
 */
import type { Flow, FlowCounts } from './flows.js';
import { endpoint, type RealServer, type VirtualServerKey } from './forwarder.js';

export const DEFAULT_DRAIN_TIMEOUT_MS = 300_000;
const FIRST_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 15_000;
const MAX_LOOKS = 500;
const NEVER_LOOKED = Number.NEGATIVE_INFINITY;

export interface Drained {
  service: VirtualServerKey;
  realServer: RealServer;
  /** Those that are left when time is up; 0 when they have all ended. */
  connections: number;
}

interface Drain {
  service: VirtualServerKey;
  /** By endpoint; `deadlineMs` is set by the first look. */
  realServers: Map<string, { realServer: RealServer; deadlineMs: number | undefined }>;
  pauseMs: number;
  nextLookMs: number;
}

export class Drains {
  readonly #timeoutMs: number;
  readonly #drains = new Map<string, Drain>();
  #size = 0;

  constructor(timeoutMs: number = DEFAULT_DRAIN_TIMEOUT_MS) {
    this.#timeoutMs = timeoutMs;
  }

  /** How many real servers. */
  get size(): number {
    return this.#size;
  }

  /** Of the virtual servers that have any, by virtualServerName(). */
  names(): IterableIterator<string> {
    return this.#drains.keys();
  }

  /** Whether that virtual server has any. */
  has(name: string): boolean {
    return this.#drains.has(name);
  }

  /** The real servers of one virtual server. */
  of(name: string): RealServer[] {
    return [...(this.#drains.get(name)?.realServers.values() ?? [])].map(({ realServer }) => realServer);
  }

  /** From now on exactly these of that virtual server are drained; those that were already go on with their time. */
  set(name: string, service: VirtualServerKey | undefined, realServers: readonly RealServer[]): void {
    const old = this.#drains.get(name);
    if (!old && realServers.length === 0) return;
    this.#size += realServers.length - (old?.realServers.size ?? 0);
    this.#drains.delete(name);
    if (!service || realServers.length === 0) return;
    const entries = realServers.map((realServer) => {
      const key = endpoint(realServer.address, realServer.port);
      return [key, old?.realServers.get(key) ?? { realServer, deadlineMs: undefined }] as const;
    });
    const isNew = entries.some(([, { deadlineMs }]) => deadlineMs === undefined);
    this.#drains.set(name, {
      service,
      realServers: new Map(entries),
      ...(old && !isNew
        ? { pauseMs: old.pauseMs, nextLookMs: old.nextLookMs }
        : { pauseMs: FIRST_PAUSE_MS, nextLookMs: NEVER_LOOKED }),
    });
  }

  /** What is to be counted now, for `finish`. Starts the time of new drains. */
  due(nowMs: number): Flow[] {
    const due: Flow[] = [];
    let looks = 0;
    for (const drain of this.#drains.values()) {
      if (drain.nextLookMs === NEVER_LOOKED) {
        for (const entry of drain.realServers.values()) entry.deadlineMs ??= nowMs + this.#timeoutMs;
        drain.nextLookMs = nowMs + drain.pauseMs;
      } else if (drain.nextLookMs <= nowMs && looks++ < MAX_LOOKS) {
        for (const { realServer } of drain.realServers.values()) due.push({ service: drain.service, realServer });
      }
    }
    return due;
  }

  /** What is done, and forgotten here: to be deleted. `counts`: of what was due. */
  finish(nowMs: number, counts: FlowCounts): Drained[] {
    const finished: Drained[] = [];
    for (const [name, drain] of this.#drains) {
      const counted = counts.get(name);
      for (const [key, { realServer, deadlineMs = Number.POSITIVE_INFINITY }] of drain.realServers) {
        const connections = counted?.get(key) ?? 0;
        if (!(counted && connections === 0) && nowMs < deadlineMs) continue;
        finished.push({ service: drain.service, realServer, connections });
        drain.realServers.delete(key);
        this.#size--;
      }
      if (drain.realServers.size === 0) this.#drains.delete(name);
      if (!counted) continue;
      drain.pauseMs = Math.min(drain.pauseMs * 2, MAX_PAUSE_MS);
      drain.nextLookMs = nowMs + drain.pauseMs;
    }
    return finished;
  }
}
