/** Nodes on one LAN that elect owners by VRRP, with time, cables, sockets and processes that tests have in their hands. */

import type { Repetition } from '@fairlead/raw-socket';
import { expect } from 'chai';
import type { Contested } from '../election/election.js';
import { Witnesses } from '../wire/witnesses.js';
import type { Advertisement } from './advertisement.js';
import { comparable, type Outgoing } from './transport.js';
import { VrrpElection } from './vrrp-election.js';

export const INTERVAL_MS = 100;
export const LATENCY_MS = 1;
export const NODES = ['n1', 'n2', 'n3', 'n4'];
/** What they contest, each with another node in the first place. */
export const ROUTERS = ['public.0', 'public.1'] as const;
export type RouterName = (typeof ROUTERS)[number];

/** @param more other VIPs than before, as when Services come and go */
function contested(name: RouterName, preempt: boolean, more: boolean): Contested {
  const n = ROUTERS.indexOf(name);
  const addresses = [`10.77.0.20${n}`, ...(more ? [`10.77.0.21${n}`] : [])];
  return {
    name,
    leaseName: `vr-${name}`,
    ranking: [...NODES.slice(n), ...NODES.slice(0, n)],
    engine: 'vrrp',
    preempt,
    vips: addresses.map((address) => ({ address, uplink: 'eth0' })),
  };
}

export class Node {
  readonly election: VrrpElection;
  readonly witnesses = new Witnesses();
  readonly address: string;
  readonly owned = new Set<string>();
  frozen = false;
  fit = false;
  wakeAt: number | undefined;
  /** Who advertised a virtual router last, by its number. */
  readonly #heard = new Map<number, { from: string; at: number }>();
  /** What its sockets say again and again. */
  readonly repeated = new Set<SimulatedRepetition>();
  #absorbed = new Map<string, SimulatedAbsorption>();
  #inbox: (() => void)[] = [];
  #hasMore = false;

  constructor(
    readonly lan: Lan,
    readonly id: number,
    count: number,
  ) {
    this.address = `10.77.0.${11 + id}`;
    const others = NODES.slice(0, count).flatMap((name, n) => (n === id ? [] : { ip: n, name }));
    this.witnesses.configure(others, others.length > 0);
    this.election = new VrrpElection({
      node: NODES[id]!,
      intervalMs: INTERVAL_MS,
      transport: {
        open: () => ({ source: comparable(this.address) }),
        send: (outgoing) => {
          for (const { advertisement } of outgoing) lan.advertise(this, advertisement);
        },
        repeat: (outgoing, _, repetition, onMissed) => {
          const repeated = new SimulatedRepetition(this, outgoing, repetition, onMissed);
          this.repeated.add(repeated);
          return { since: () => lan.now - repeated.sentAt, end: () => this.repeated.delete(repeated) };
        },
      },
      listener: {
        own: (name) => this.owned.add(name),
        yield: (name) => this.owned.delete(name),
        contended: () => {},
        suspect: (node) => this.#checkSuspicion(node),
        holder: () => {},
      },
      witnesses: {
        heard: (node, at) => this.witnesses.heard(node, at),
        hears: (since, silent) => this.witnesses.hears(since, silent),
        ask: () => lan.ask(this),
      },
      nodeOf: (address) => NODES[lan.nodes.findIndex((node) => node.address === address)],
      onMismatch: () => {},
      onError: () => {},
      clock: () => lan.now,
      wakeAt: (at) => {
        this.wakeAt = at;
      },
    });
    this.#configure();
  }

  setFit(fit: boolean): void {
    this.fit = fit;
    this.deliver(() => this.election.setFit(fit));
  }

  /** Other VIPs of all virtual routers. */
  configure(): void {
    this.#hasMore = !this.#hasMore;
    this.#configure();
  }

  /** Its sockets are closed, and opened anew. */
  reopen(): void {
    const late = [...this.lateAt()];
    this.#absorbed = new Map();
    for (const { absorbed } of late) absorbed.watch!.onLate();
    this.miss();
    this.#configure();
  }

  /** Something that is said again and again cannot be. */
  miss(): void {
    for (const repeated of [...this.repeated]) repeated.stop();
  }

  #configure(): void {
    this.election.configure(ROUTERS.map((name) => contested(name, this.lan.preempt.has(name), this.#hasMore)));
  }

  /** Whoever is suspected has been silent. */
  #checkSuspicion(node: string): void {
    const silentMs = [...this.#heard.values()].flatMap(({ from, at }) => (from === node ? [this.lan.now - at] : []));
    expect(Math.max(...silentMs), `${NODES[this.id]} suspects ${node}`).to.be.at.least(2 * INTERVAL_MS);
  }

  /** As sockets do: what is absorbed is not told of (transport.ts). */
  hear(from: Node, advertisement: Advertisement): void {
    this.#heard.set(advertisement.virtualRouterId, { from: NODES[from.id]!, at: this.lan.now });
    const said = JSON.stringify([from.id, advertisement]);
    const known = this.#absorbed.get(said);
    if (known !== undefined) {
      known.cameAt = this.lan.now;
      known.lastAt = this.lan.now;
      return;
    }
    const received = { advertisement, family: 'ipv4', from: from.address, checksum: 'rfc9568' } as const;
    this.election.received(received, () => {
      const absorbed: SimulatedAbsorption = { cameAt: undefined, lastAt: this.lan.now, watch: undefined };
      const sockets = this.#absorbed;
      sockets.set(said, absorbed);
      return {
        since: () => {
          const { cameAt } = absorbed;
          absorbed.cameAt = undefined;
          return cameAt === undefined ? undefined : this.lan.now - cameAt;
        },
        watch: (patienceMs, onLate) => {
          absorbed.watch = { patienceMs, onLate };
          return sockets === this.#absorbed && sockets.has(said);
        },
        end: () => sockets.delete(said),
      };
    });
  }

  /** When something that is absorbed would be late. */
  *lateAt(): Generator<{ at: number; absorbed: SimulatedAbsorption }> {
    for (const absorbed of this.#absorbed.values()) {
      if (absorbed.watch) yield { at: absorbed.lastAt + absorbed.watch.patienceMs, absorbed };
    }
  }

  /** Its sockets tell what is late. */
  tellLate(): void {
    for (const { at, absorbed } of [...this.lateAt()]) {
      if (at > this.lan.now || absorbed.watch === undefined) continue;
      const { onLate } = absorbed.watch;
      absorbed.watch = undefined;
      onLate();
    }
  }

  /** Runs it when the process runs. */
  deliver(run: () => void): void {
    if (this.frozen) this.#inbox.push(run);
    else run();
  }

  thaw(): void {
    this.frozen = false;
    // Timers come before sockets.
    for (const repeated of [...this.repeated]) repeated.turn();
    for (const run of this.#inbox.splice(0)) run();
  }
}

/** As in C (packages/raw-socket/native/absorb.c). */
interface SimulatedAbsorption {
  cameAt: number | undefined;
  lastAt: number;
  watch: { patienceMs: number; onLate: () => void } | undefined;
}

/** As in C (packages/raw-socket/native/repeat.c). */
export class SimulatedRepetition {
  sentAt: number;
  nextAt: number | undefined;

  constructor(
    readonly node: Node,
    readonly outgoing: readonly Outgoing[],
    readonly repetition: Repetition,
    readonly onMissed: () => void,
  ) {
    this.sentAt = node.lan.now;
    this.nextAt = this.sentAt + repetition.everyMs;
  }

  turn(): void {
    const { lan } = this.node;
    if (this.nextAt === undefined || lan.now < this.nextAt) return;
    if (lan.now - this.sentAt >= this.repetition.withinMs) {
      this.stop();
      return;
    }
    this.sentAt = lan.now;
    this.nextAt = lan.now + this.repetition.everyMs;
    for (const { advertisement } of this.outgoing) lan.advertise(this.node, advertisement);
  }

  stop(): void {
    this.nextAt = undefined;
    this.onMissed();
  }
}

export class Lan {
  now = 0;
  readonly nodes: Node[] = [];
  /** Whether a message from one node to another gets lost. */
  loses: (from: number, to: number) => boolean = () => false;
  apiAnswers: (node: number) => boolean = () => true;
  #queue: { at: number; run: () => void }[] = [];

  constructor(
    count: number,
    readonly preempt: ReadonlySet<RouterName> = new Set(),
  ) {
    for (let id = 0; id < count; id++) this.nodes.push(new Node(this, id, count));
  }

  advertise(from: Node, advertisement: Advertisement): void {
    this.#toOthers(from, (to) => to.hear(from, advertisement));
  }

  /** Kernels answer, whatever their speakers do. */
  ask(from: Node): void {
    for (const other of this.nodes) {
      if (other === from || this.loses(from.id, other.id)) continue;
      this.#after(2 * LATENCY_MS, () => {
        if (!this.loses(other.id, from.id)) from.deliver(() => from.witnesses.heard(NODES[other.id]!, this.now));
      });
    }
    if (this.apiAnswers(from.id))
      this.#after(5, () => from.deliver(() => from.witnesses.heard('API server', this.now)));
  }

  answering(name: RouterName): number[] {
    return this.nodes.filter(({ frozen, election }) => !frozen && election.mayAnswer(name)).map(({ id }) => id);
  }

  run(ms: number, watch: () => void = () => {}): void {
    const end = this.now + ms;
    const wakes = ({ frozen, wakeAt }: Node) =>
      frozen ? Number.POSITIVE_INFINITY : (wakeAt ?? Number.POSITIVE_INFINITY);
    const sockets = (node: Node) => {
      if (node.frozen) return [];
      const repeats = [...node.repeated].flatMap(({ nextAt }) => (nextAt === undefined ? [] : [nextAt]));
      return [...repeats, ...[...node.lateAt()].map(({ at }) => at)];
    };
    for (;;) {
      const next = Math.min(
        end,
        ...this.#queue.map(({ at }) => at),
        ...this.nodes.map(wakes),
        ...this.nodes.flatMap(sockets),
      );
      this.now = Math.max(this.now, next);
      if (next >= end) return;
      const due = this.#queue.filter(({ at }) => at <= this.now);
      this.#queue = this.#queue.filter(({ at }) => at > this.now);
      for (const node of this.nodes) if (!node.frozen) for (const repeated of [...node.repeated]) repeated.turn();
      for (const { run } of due) run();
      for (const node of this.nodes) if (!node.frozen) node.tellLate();
      for (const node of this.nodes) if (wakes(node) <= this.now) node.election.tick();
      watch();
    }
  }

  #toOthers(from: Node, run: (to: Node) => void): void {
    for (const to of this.nodes) {
      if (to === from || this.loses(from.id, to.id)) continue;
      this.#after(LATENCY_MS, () => to.deliver(() => run(to)));
    }
  }

  #after(ms: number, run: () => void): void {
    this.#queue.push({ at: this.now + ms, run });
  }
}
