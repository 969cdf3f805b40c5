/**
 * Where this host's kernel sends what comes for the VIPs of a virtual router. While this node owns it: into the director, by a routing
 * rule; and what the director does not know, to the former owner, whose kernel has the connections that are open (former-owner.ts). After
 * that: still into the director, until the next owner has announced itself (lingering.ts), and what is that one's already, to whoever
 * answers for the VIP. Then nowhere, by no rule.
 */

import { FormerOwner, type Station } from './former-owner.js';
import type { Guard } from './guard.js';
import { Lingering } from './lingering.js';
import type { WireVirtualRouter } from './messages.js';
import type { Ports } from './ports.js';
import type { VirtualRouters } from './virtual-routers.js';

/** The one routing rule per virtual router; packages/ipvs has the real one. */
export interface Rules {
  claim(table: number): void;
  release(table: number): void;
  /** The tables that are claimed in the kernel. */
  list(): number[];
}

/** Where what this node's director does not know goes, once it is written; FormerOwners of packages/ipvs is the real one. */
export interface Exits {
  own(table: number, former: Station | undefined, aliveMs: number): void;
  alone(table: number): void;
  linger(table: number): void;
  yield(table: number): void;
  /** In one message, for all that was said since the last time: one for each would take longer than all else that a takeover does. */
  write(): void;
}

export interface RoutingParts {
  rules: Rules;
  exits: Exits;
  /** Makes this host's kernel heed the next announcement of an address, by index of an interface. Otherwise it would have to ask. */
  expectNeighbour(index: number, address: string): void;
  /** For how long after its last sign of life an owner counts as alive to its own kernel, ms. */
  aliveMs: (engine: WireVirtualRouter['engine']) => number;
  /** For how long the kernel of an owner that fell silent may still forward what is passed on to it, ms. */
  silentMs: number;
  routers: VirtualRouters;
  ports: Ports;
  guard: Guard;
  /** Monotonic milliseconds. */
  clock: () => number;
}

/**
 * Of how many VIPs this host's kernel learns the next owner without asking, of all virtual routers together: its table of neighbours holds
 * 1,024 by default (net.ipv4.neigh.default.gc_thresh3), for all network namespaces of the host.
 */
export const EXPECTED = 256;

export class Routing {
  readonly #parts: RoutingParts;
  readonly #lingering = new Lingering();
  readonly #former = new FormerOwner();
  /** Those that are owned, but whose rule waits for the LAN to be asked. */
  readonly #unrouted = new Set<string>();
  /** The exits know more than the kernel. */
  #isUnwritten = false;

  constructor(parts: RoutingParts) {
    this.#parts = parts;
  }

  /** This node owns it from now on. @param lapsed the former owner, if that fell silent; @param routed without it, `route` is to be called */
  own({ name, engine, table }: WireVirtualRouter, lapsed: string | undefined, routed: boolean): void {
    const { aliveMs, clock, exits, silentMs } = this.#parts;
    this.#lingering.end(name);
    const station = this.#former.owns(name, lapsed === undefined ? undefined : clock() + silentMs);
    exits.own(table, station, aliveMs(engine));
    this.#isUnwritten = true;
    this.#unrouted.add(name);
    if (routed) this.route(name);
  }

  /** What is owned is routed into the director, if it is not yet. */
  route(name: string): void {
    if (!this.#unrouted.delete(name)) return;
    const { table } = this.#parts.routers.get(name)!;
    this.#parts.guard.run(`route the VIPs of ${name} into the director`, () => this.#parts.rules.claim(table));
  }

  /** @param handsOver nobody else can be the owner yet */
  yield(name: string, handsOver: boolean): void {
    this.#unrouted.delete(name);
    if (handsOver) this.#linger(name);
    else this.#release(name);
  }

  /** Another node owns it. Releases also what an earlier process of this node has left behind. */
  takenOver(name: string): void {
    if (this.#lingering.has(name)) this.#lingering.takenOver(name, this.#parts.clock());
    else this.#release(name);
  }

  /** Another station announces its VIPs, or answers for them. Tells whether something is due therefore. */
  heard(name: string, station: Station): boolean {
    this.#former.heard(name, station);
    if (!this.#lingering.has(name)) return false;
    this.#lingering.announced(name, this.#parts.clock());
    return true;
  }

  /** Whether it is known which station had it last. */
  knowsOwner(name: string): boolean {
    return this.#former.isKnown(name);
  }

  /** It is contested no longer; its table may be another one's soon. */
  gone(name: string): void {
    if (this.#lingering.has(name)) {
      this.#lingering.end(name);
      this.#release(name);
    }
    this.#former.gone(name);
  }

  due(): void {
    const { clock, exits, guard } = this.#parts;
    for (const name of this.#lingering.due(clock())) this.#release(name);
    for (const name of this.#former.silent(clock())) this.#tellExits(name, (table) => exits.alone(table));
    if (!this.#isUnwritten) return;
    this.#isUnwritten = false;
    guard.run('say where segments go that the director does not know', () => exits.write());
  }

  /** When `due` has something next, each of its kinds. */
  get nextAt(): (number | undefined)[] {
    return [this.#lingering.nextAt, this.#former.nextAt, this.#isUnwritten ? this.#parts.clock() : undefined];
  }

  /** Whether this node forwards for none that it does not own any more. */
  get isSettled(): boolean {
    return this.#lingering.size === 0;
  }

  /** Those that this node still forwards for, though it does not own them any more. */
  get lingering(): WireVirtualRouter[] {
    return [...this.#lingering.names].flatMap((name) => this.#parts.routers.get(name) ?? []);
  }

  /** Puts back the rules of those that are owned. Returns which were gone. */
  keep(owned: readonly string[]): string[] {
    const { guard, routers, rules } = this.#parts;
    const lost: string[] = [];
    guard.run('look after the routing rules', () => {
      const routed = owned.filter((name) => !this.#unrouted.has(name));
      const claimed = routed.length > 0 ? new Set(rules.list()) : undefined;
      for (const name of routed) {
        const table = routers.get(name)?.table;
        if (table === undefined || claimed?.has(table)) continue;
        rules.claim(table);
        lost.push(name);
      }
    });
    return lost;
  }

  /** The rule stays; what comes in by it and is the next owner's goes to whoever answers for the VIP. */
  #linger(name: string): void {
    const { exits, expectNeighbour, guard, ports, routers } = this.#parts;
    this.#lingering.begin(name);
    this.#former.yields(name);
    this.#tellExits(name, (table) => exits.linger(table));
    const share = Math.floor(EXPECTED / routers.count);
    for (const { address, uplink } of routers.vipsOf(name).slice(0, share)) {
      const port = ports.get(uplink);
      if (port) guard.run(`expect the next owner of ${address}`, () => expectNeighbour(port.index, address));
    }
  }

  #release(name: string): void {
    const router = this.#parts.routers.get(name);
    if (router === undefined) return;
    const { exits, guard, rules } = this.#parts;
    this.#former.yields(name);
    guard.run(`stop routing the VIPs of ${name} into the director`, () => rules.release(router.table));
    // Not before: with the rule, requests of the next owner's director would be refused.
    this.#tellExits(name, (table) => exits.yield(table));
  }

  #tellExits(name: string, tell: (table: number) => void): void {
    const table = this.#parts.routers.get(name)?.table;
    if (table === undefined) return;
    tell(table);
    this.#isUnwritten = true;
  }
}
