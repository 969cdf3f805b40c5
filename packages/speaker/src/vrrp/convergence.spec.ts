/**
 * The whole election of several nodes on one LAN, in any order of faults: nodes that start, stop and freeze, links that lose messages in one
 * direction or both, claims of nodes, and answers of the API server that come or do not.
 */

import { expect } from 'chai';
import fc from 'fast-check';
import type { Contested } from '../election/election.js';
import { Witnesses } from '../wire/witnesses.js';
import type { Advertisement } from './advertisement.js';
import { comparable } from './transport.js';
import { VrrpElection } from './vrrp-election.js';

const A = 100;
const LATENCY_MS = 1;
const NAMES = ['n1', 'n2', 'n3', 'n4'];
const CONTESTED: Contested = {
  name: 'public.0',
  leaseName: 'vr-public-0',
  ranking: NAMES,
  engine: 'vrrp',
  preempt: false,
  vips: [{ address: '10.77.0.200', uplink: 'eth0' }],
};

class Node {
  readonly election: VrrpElection;
  readonly witnesses = new Witnesses();
  readonly address: string;
  owning = false;
  frozen = false;
  fit = false;
  wakeAt: number | undefined;
  readonly #absorbed = new Map<string, { cameAt: number | undefined }>();
  #inbox: (() => void)[] = [];

  constructor(
    readonly lan: Lan,
    readonly id: number,
    count: number,
  ) {
    this.address = `10.77.0.${11 + id}`;
    const others = NAMES.slice(0, count).flatMap((name, n) => (n === id ? [] : { ip: n, name }));
    this.witnesses.configure(others, others.length > 0);
    this.election = new VrrpElection({
      node: NAMES[id]!,
      intervalMs: A,
      transport: {
        open: () => ({ source: comparable(this.address) }),
        send: (outgoing) => {
          for (const { advertisement } of outgoing) lan.advertise(this, advertisement);
        },
      },
      listener: {
        own: () => {
          this.owning = true;
        },
        yield: () => {
          this.owning = false;
        },
        contended: () => {},
        suspect: () => {},
        holder: () => {},
      },
      witnesses: {
        heard: (node, at) => this.witnesses.heard(node, at),
        hears: (since, silent) => this.witnesses.hears(since, silent),
        ask: () => lan.ask(this),
      },
      nodeOf: (address) => NAMES[lan.nodes.findIndex((node) => node.address === address)],
      onError: () => {},
      clock: () => lan.now,
      wakeAt: (at) => {
        this.wakeAt = at;
      },
    });
    this.election.configure([CONTESTED]);
  }

  /** As sockets do: what is absorbed is not told of (transport.ts). */
  hear(from: Node, advertisement: Advertisement): void {
    const said = JSON.stringify([from.id, advertisement]);
    const known = this.#absorbed.get(said);
    if (known !== undefined) {
      known.cameAt = this.lan.now;
      return;
    }
    const received = { advertisement, family: 'ipv4', from: from.address, checksum: 'rfc9568' } as const;
    this.election.received(received, () => {
      const absorbed = { cameAt: undefined as number | undefined };
      this.#absorbed.set(said, absorbed);
      return {
        since: () => {
          const { cameAt } = absorbed;
          absorbed.cameAt = undefined;
          return cameAt === undefined ? undefined : this.lan.now - cameAt;
        },
        end: () => this.#absorbed.delete(said),
      };
    });
  }

  /** Runs it when the process runs. */
  deliver(run: () => void): void {
    if (this.frozen) this.#inbox.push(run);
    else run();
  }

  thaw(): void {
    this.frozen = false;
    for (const run of this.#inbox.splice(0)) run();
  }
}

class Lan {
  now = 0;
  readonly nodes: Node[] = [];
  /** Whether a message from one node to another gets lost. */
  loses: (from: number, to: number) => boolean = () => false;
  apiAnswers: (node: number) => boolean = () => true;
  #queue: { at: number; run: () => void }[] = [];

  constructor(count: number) {
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
        if (!this.loses(other.id, from.id)) from.deliver(() => from.witnesses.heard(NAMES[other.id]!, this.now));
      });
    }
    if (this.apiAnswers(from.id))
      this.#after(5, () => from.deliver(() => from.witnesses.heard('API server', this.now)));
  }

  answering(): number[] {
    return this.nodes.filter(({ frozen, election }) => !frozen && election.mayAnswer('public.0')).map(({ id }) => id);
  }

  run(ms: number, watch: () => void = () => {}): void {
    const end = this.now + ms;
    const wakes = ({ frozen, wakeAt }: Node) =>
      frozen ? Number.POSITIVE_INFINITY : (wakeAt ?? Number.POSITIVE_INFINITY);
    for (;;) {
      const next = Math.min(end, ...this.#queue.map(({ at }) => at), ...this.nodes.map(wakes));
      this.now = Math.max(this.now, next);
      if (next >= end) return;
      const due = this.#queue.filter(({ at }) => at <= this.now);
      this.#queue = this.#queue.filter(({ at }) => at > this.now);
      for (const { run } of due) run();
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

const event = fc.record({
  kind: fc.constantFrom(
    'fit',
    'unfit',
    'freeze',
    'thaw',
    'cut',
    'mute',
    'deaf',
    'heal',
    'lossy',
    'calm',
    'claim',
    'api gone',
    'api back',
  ),
  node: fc.nat(3),
  waitMs: fc.nat(4 * A),
});
const worlds = fc.record({ count: fc.integer({ min: 1, max: 4 }), events: fc.array(event, { maxLength: 40 }) });
type World = typeof worlds extends fc.Arbitrary<infer T> ? T : never;

/** Plays the events; whole again afterwards, with everybody awake. */
function play({ count, events }: World, watch?: (lan: Lan) => void): Lan {
  const lan = new Lan(count);
  const [mute, deaf] = [new Set<number>(), new Set<number>()];
  let lossy = false;
  let apiGone = false;
  let coin = 0;
  lan.loses = (from, to) => mute.has(from) || deaf.has(to) || (lossy && coin++ % 5 === 0);
  lan.apiAnswers = () => !apiGone;
  for (const { kind, node: n, waitMs } of events) {
    const node = lan.nodes[n % count]!;
    switch (kind) {
      case 'fit':
      case 'unfit':
        node.fit = kind === 'fit';
        node.deliver(() => node.election.setFit(kind === 'fit'));
        break;
      case 'freeze':
        node.frozen = true;
        break;
      case 'thaw':
        node.thaw();
        break;
      case 'cut':
      case 'mute':
      case 'deaf':
        if (kind !== 'deaf') mute.add(node.id);
        if (kind !== 'mute') deaf.add(node.id);
        break;
      case 'heal':
        mute.delete(node.id);
        deaf.delete(node.id);
        break;
      case 'claim':
        for (const other of lan.nodes) other.deliver(() => other.election.claimed('public.0', NAMES[node.id]));
        break;
      default:
        if (kind === 'lossy' || kind === 'calm') lossy = kind === 'lossy';
        else apiGone = kind === 'api gone';
    }
    lan.run(waitMs, () => watch?.(lan));
  }
  mute.clear();
  deaf.clear();
  lossy = false;
  apiGone = false;
  for (const node of lan.nodes) {
    if (node.frozen) node.thaw();
    // Who asked to be handed over to has been, or has gone.
    node.election.claimed('public.0', undefined);
  }
  return lan;
}

describe('nodes that elect an owner by VRRP', function () {
  this.timeout(60_000);
  /** From any state, for who hears: the down interval of the lowest priority (3 × A + skew), and a message. */
  const SETTLED_MS = 3 * A + A + 10;
  /** A claimant may have been left 300 ms for taking over, and a node that was cut off for long looks again and listens first. */
  const LATE_MS = 300 + 200 + 4 * A;

  it('come to exactly one owner once the network is whole, whatever happened before, and it stays', () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const lan = play(world);
        const fit = lan.nodes.filter((node) => node.fit).length;
        lan.run(SETTLED_MS + LATE_MS);
        const [owner, ...more] = lan.answering();
        expect(more, 'more than one answers').to.deep.equal([]);
        expect(owner !== undefined, 'somebody answers').to.equal(fit > 0);
        expect(lan.nodes.filter(({ owning }) => owning).map(({ id }) => id)).to.deep.equal(lan.answering());
        lan.run(30 * A, () => expect(lan.answering()).to.deep.equal(owner === undefined ? [] : [owner]));
      }),
      { numRuns: 200 },
    );
  });

  it('have two for no longer than a message takes, while none is lost', () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const harmless = ({ kind }: World['events'][number]) => !['cut', 'mute', 'deaf', 'lossy'].includes(kind);
        let since: number | undefined;
        play({ ...world, events: world.events.filter(harmless) }, (lan) => {
          if (lan.answering().length < 2) since = undefined;
          else since ??= lan.now;
          if (since !== undefined) expect(lan.now - since).to.be.at.most(2 * LATENCY_MS);
        });
      }),
      { numRuns: 200 },
    );
  });

  it('take nothing over while they are cut off from everybody', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 4 }),
        fc.nat(3),
        fc.integer({ min: 1, max: 200 }),
        (count, n, intervals) => {
          const lan = new Lan(count);
          for (const { election } of lan.nodes) election.setFit(true);
          lan.run(20 * A);
          const [owner] = lan.answering();
          const node = lan.nodes[n % count]!;
          lan.loses = (from, to) => from === node.id || to === node.id;
          lan.apiAnswers = () => false;
          lan.run(intervals * A, () => expect(node.owning).to.equal(node.id === owner));
        },
      ),
      { numRuns: 100 },
    );
  });
});
