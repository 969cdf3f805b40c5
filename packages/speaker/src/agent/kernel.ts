/**
 * What this node has in its kernel: director, forwarder, and the host's routes into the director. It is told whole states where nothing
 * is known, and changes from then on; an audit compares everything with the kernel.
 */
import {
  createForwarder,
  type DesiredChange,
  type DesiredState,
  Director,
  type Forwarder,
  HostRoutes,
  type RefusedServer,
  type RoutesChange,
  SecondChance,
  type VirtualRouterVips,
  type VirtualServerStats,
} from '@fairlead/ipvs';
import type { Logger } from 'pino';
import type { KernelPart } from '../metrics/metrics.js';
import type { KernelView } from '../metrics/view.js';
import { signLives, switchSeconds } from '../wire/hold.js';
import type { LeaseTimings, VrrpOptions } from '../wire/messages.js';

export interface KernelOptions {
  /** Name of the director's network namespace. */
  director: string;
  forwarder: 'auto' | 'ipvs' | 'nftables';
  timings: Pick<LeaseTimings, 'leaseDurationMs'>;
  vrrp: Pick<VrrpOptions, 'intervalMs'>;
  log: Logger;
}

/** How many things were written, by where. */
export type Operations = Partial<Record<KernelPart, number>>;

interface Parts {
  director: Director;
  forwarder: Forwarder;
  routes: HostRoutes;
  secondChance: SecondChance;
}

export class Kernel {
  readonly #options: KernelOptions;
  #parts: Parts | undefined;
  #forwarderKind: Forwarder['kind'] | undefined;

  constructor(options: KernelOptions) {
    this.#options = options;
  }

  get forwarderKind(): Forwarder['kind'] | undefined {
    return this.#forwarderKind;
  }

  /** How many real servers still have connections that are waited for. */
  get draining(): number {
    return this.#parts?.forwarder.draining ?? 0;
  }

  /** Virtual servers of which the kernel refuses something. */
  get refused(): readonly RefusedServer[] {
    return this.#parts?.forwarder.refused ?? [];
  }

  /** Whether `tend` wants to be called. */
  get unfinished(): boolean {
    return this.#parts?.forwarder.unfinished ?? false;
  }

  /** Makes what is missing and adopts what is there. Everything else comes after it; `sync` and `route` first. */
  setUp(): void {
    const { director: name, forwarder: kind, timings, vrrp, log } = this.#options;
    this.close();
    const director = Director.ensure({ name, log });
    let forwarder: Forwarder | undefined;
    try {
      // What was chosen once stays: both engines at once would fight.
      forwarder = createForwarder({ kind: this.#forwarderKind ?? kind, director: name, log });
      const secondChance = new SecondChance({
        director: name,
        lives: signLives(vrrp),
        heldSeconds: switchSeconds(timings),
        log,
      });
      this.#parts = { director, forwarder, routes: new HostRoutes({ log }), secondChance };
      this.#forwarderKind = forwarder.kind;
    } catch (error) {
      forwarder?.close();
      director.close();
      throw error;
    }
  }

  sync(desired: DesiredState): Operations {
    const { director, forwarder } = this.#must();
    // First the director: a connection that is forwarded before its SNAT stands cannot be mended.
    return { director: director.sync(desired).operations, forwarder: forwarder.sync(desired).operations };
  }

  update(change: DesiredChange): Operations {
    const { director, forwarder } = this.#must();
    const { changed, removed, addedVips, removedVips } = change;
    const concernsDirector = changed.length + removed.length + addedVips.length + removedVips.length > 0;
    return {
      ...(concernsDirector ? { director: director.update(change).operations } : {}),
      forwarder: forwarder.update(change).operations,
    };
  }

  /** Names of the interfaces to the LAN; to be called before `route` and whenever they, or the host's, may be others. */
  uplinks(
    names: readonly string[],
    unchanged: boolean,
    virtualRouters: () => readonly VirtualRouterVips[],
  ): Operations {
    const { secondChance } = this.#must();
    const made = secondChance.offer(names, { unchanged });
    const told = secondChance.wantsAll ? secondChance.sync(virtualRouters()).operations : 0;
    return { routes: made + told };
  }

  route(virtualRouters: readonly VirtualRouterVips[]): Operations {
    const { routes, secondChance } = this.#must();
    secondChance.sync(virtualRouters);
    return { routes: routes.sync(virtualRouters).operations };
  }

  reroute(change: RoutesChange): Operations {
    const { routes, secondChance } = this.#must();
    secondChance.update(change);
    return { routes: routes.update(change).operations };
  }

  /** To be called when this host's interfaces have changed. */
  follow(): Operations {
    return { director: this.#must().director.follow().operations };
  }

  /** Repairs what others changed; says how much that was. */
  audit(virtualRouters: readonly VirtualRouterVips[]): Operations {
    const { director, forwarder, routes, secondChance } = this.#must();
    const repaired = { director: director.audit().repaired, forwarder: forwarder.audit().repaired };
    const { operations } = secondChance.audit(virtualRouters);
    return { ...repaired, routes: operations + routes.audit(virtualRouters).operations };
  }

  /** What every virtual server has done: as much work as there are virtual servers. */
  stats(): VirtualServerStats[] {
    return this.#parts?.forwarder.stats() ?? [];
  }

  /** What the director's kernel counts; undefined while there is no director. */
  view(): KernelView | undefined {
    const counters = this.#parts?.director.counters();
    if (!counters) return undefined;
    const { entries, insertFailed, dropped } = counters.connections;
    const secondChance = this.#parts?.secondChance.counters();
    return {
      ...(secondChance && { secondChance }),
      firewall: counters.rules,
      conntrack: { entries, insertFailed, drop: dropped },
    };
  }

  /** Ends the drains that are over; to be called about every second while there are any. `nowMs`: monotonic. */
  tend(nowMs: number): void {
    this.#must().forwarder.tend(nowMs);
  }

  /** Gives up the sockets. What is programmed keeps forwarding. */
  close(): void {
    const parts = this.#parts;
    this.#parts = undefined;
    parts?.forwarder.close();
    parts?.director.close();
    parts?.routes.close();
    parts?.secondChance.close();
  }

  #must(): Parts {
    if (!this.#parts) throw new Error('there is no way into the director: it has to be made first');
    return this.#parts;
  }
}
