/**
 * What this node is to each virtual router, for the rules that pass on what its director does not know (rules.ts):
 *
 * | | |
 * |---|---|
 * | an owner | passes it on to the former owner, if there is one that is known; else its director decides |
 * | an owner that hands over, or whose process is dead | passes it on to whoever answers for the VIP |
 * | none of these | has nothing to pass on |
 *
 * That a process is dead the kernel notices by itself: who owns says over and over that it lives (signs.ts). What was said of any is in the kernel
 * from the next `write` on, all in one message, on a socket of its own: made for the thread that elects, which takes many over at a time.
 */

import { Nftables, type NftElementOptions, type NftOperation, type NftTable } from '@fairlead/netlink';
import type { Repeated } from '@fairlead/raw-socket';
import { CHANCE_MAC, exitTo, TABLE } from './rules.js';
import { type SignLife, signFrames } from './signs.js';
import { SignsOfLife, type SignsOfLifeOptions } from './signs-of-life.js';
import { orWithoutRules } from './without-rules.js';

export interface FormerOwnersOptions extends SignsOfLifeOptions {
  /** The host's network namespace; by default that of this process. */
  hostNetns?: string;
  /** What `SecondChance` was given. */
  lives: readonly SignLife[];
}

/** A station on the LAN, and the interface on which it is. */
export interface Exit {
  uplink: string;
  mac: string;
}

interface State {
  former?: Exit;
  /** For how long it counts as alive after each time it said so, ms; 0: it hands over, or its process has ended. */
  aliveMs: number;
}

type Elements = [set: string, elements: NftElementOptions[]];

const table: NftTable = { family: 'netdev', name: TABLE };

export class FormerOwners {
  readonly #options: FormerOwnersOptions;
  readonly #nftables: Nftables;
  readonly #signs: SignsOfLife;
  /** By index of the virtual router: at first, those that an earlier process knew a former owner of. */
  readonly #states: Map<number, State>;
  /** What is said over and over, by the place of its life. */
  readonly #said = new Map<number, Repeated>();

  constructor(options: FormerOwnersOptions) {
    this.#options = options;
    this.#nftables = new Nftables(options.hostNetns === undefined ? {} : { netns: options.hostNetns });
    this.#signs = new SignsOfLife(options);
    this.#states = orWithoutRules(() => this.#read()) ?? new Map();
  }

  /**
   * This node owns it from now on. Without `former`, an earlier process may have known one. `aliveMs`: how long after its last sign of life it counts
   * as dead, that of one of `lives`; at most what others wait for a silent owner.
   */
  own(index: number, former: Exit | undefined, aliveMs: number): void {
    const known = former ?? this.#states.get(index)?.former;
    this.#states.set(index, { aliveMs, ...(known && { former: known }) });
  }

  /** It still does, but there is no former owner to ask any more. */
  alone(index: number): void {
    const state = this.#states.get(index);
    if (state?.former) this.#states.set(index, { aliveMs: state.aliveMs });
  }

  /** It hands over: what its director does not know is the next owner's. */
  linger(index: number): void {
    this.#states.set(index, { aliveMs: 0 });
  }

  /** Somebody else owns it. */
  yield(index: number): void {
    this.#states.delete(index);
  }

  /** All of it, in one message. */
  write(): void {
    // Nor is it said who was an owner before, should this fail.
    this.#fallSilent();
    const formers = [...this.#states].flatMap(([index, { former }]) => (former ? [{ key: [index], former }] : []));
    const sets: Elements[] = [
      this.#alive(),
      ['guests', formers.map(({ key }) => ({ key }))],
      ['former', formers.map(({ key, former }) => ({ key, value: [former.mac] }))],
      ['exits', formers.map(({ key, former }) => ({ key, value: { verdict: 'goto', chain: exitTo(former.uplink) } }))],
    ];
    orWithoutRules(() => this.#nftables.apply(instead(sets)));
    this.#say();
  }

  /** Those that are owned or handed over, and at first those that an earlier process knew a former owner of; ascending. */
  list(): number[] {
    return [...this.#states.keys()].sort((a, b) => a - b);
  }

  /**
   * To be called several times in the longest of `lives`, which costs next to nothing: begins again to say what is said no more, as a turn came too
   * late, or the director is another one.
   */
  keep(): void {
    const isSilent = this.#living().some(([, { aliveMs }]) => !this.#said.has(this.#lifeOf(aliveMs)));
    if (isSilent || this.#signs.isLost()) this.#revive();
  }

  /** To be called now and then: looks in the kernel, and puts back what was lost, as when the rules were made anew. */
  check(): void {
    const [guest] = [...this.#states].find(([, { former }]) => former !== undefined) ?? [];
    const [living] = this.#living();
    // All of that gets lost at once, with its table.
    if (guest !== undefined && !this.#has('guests', guest)) this.write();
    // Nobody tells whether signs are heeded. Rules of an earlier version do not.
    else if (living !== undefined && !this.#has('alive', living[0])) this.#revive();
  }

  close(): void {
    this.#fallSilent();
    this.#signs.close();
    this.#nftables.close();
  }

  /** Over and over from now on, that the process lives which owns these. */
  #say(): void {
    for (const [life, { aliveMs, everyMs }] of this.#options.lives.entries()) {
      const indices = this.#living().flatMap(([index, state]) => (state.aliveMs === aliveMs ? [index] : []));
      if (indices.length === 0 || this.#said.has(life)) continue;
      // Too late: others do not count it as alive any more, either.
      const repetition = { everyMs, withinMs: aliveMs };
      const frames = signFrames(CHANCE_MAC, life, indices);
      const said = orWithoutRules(() => this.#signs.repeat(frames, repetition, () => this.#fallSilent(life)));
      if (said) this.#said.set(life, said);
    }
  }

  #fallSilent(...lives: number[]): void {
    for (const life of lives.length > 0 ? lives : [...this.#said.keys()]) {
      this.#said.get(life)?.end();
      this.#said.delete(life);
    }
  }

  #revive(): void {
    this.#fallSilent();
    this.#signs.close();
    orWithoutRules(() => this.#nftables.apply(instead([this.#alive()])));
    this.#say();
  }

  #lifeOf(ofMs: number): number {
    return this.#options.lives.findIndex(({ aliveMs }) => aliveMs === ofMs);
  }

  #has(set: string, index: number): boolean {
    return orWithoutRules(() => this.#nftables.element(table, set, [index])) !== undefined;
  }

  #alive(): Elements {
    return ['alive', this.#living().map(([index, { aliveMs }]) => ({ key: [index], timeoutMs: aliveMs }))];
  }

  #living(): [number, State][] {
    return [...this.#states].filter(([, { aliveMs }]) => aliveMs > 0);
  }

  #read(): Map<number, State> {
    const uplinks = new Map(
      this.#nftables.elements(table, 'exits').map(({ key, value }) => {
        const chain = value && 'verdict' in value ? (value.chain ?? '') : '';
        return [Number(key[0]), chain.slice(chain.indexOf('-') + 1)];
      }),
    );
    const macs = new Map(
      this.#nftables
        .elements(table, 'former')
        .map(({ key, value }) => [Number(key[0]), String((value as string[])[0])]),
    );
    return new Map(
      [...uplinks].flatMap(([index, uplink]): [number, State][] => {
        const mac = macs.get(index);
        return mac === undefined ? [] : [[index, { aliveMs: 0, former: { uplink, mac } }]];
      }),
    );
  }
}

/** These elements, and no others. */
function instead(sets: readonly Elements[]): NftOperation[] {
  return sets.flatMap(([set, elements]) => [
    { kind: 'flush', table, set },
    { kind: 'add', table, set, elements },
  ]);
}
