/**
 * What this node is to each virtual router, for the rules that pass on what its director does not know (rules.ts):
 *
 * | | |
 * |---|---|
 * | an owner | passes it on to the former owner, if there is one that is known; else its director decides |
 * | an owner that hands over, or whose process is dead | passes it on to whoever answers for the VIP |
 * | none of these | has nothing to pass on |
 *
 * That a process is dead the kernel notices by itself: who owns says so over and over (`keepAlive`). What was said of any is in the kernel
 * from the next `write` on, all in one message, on a socket of its own: made for the thread that elects, which takes many over at a time.
 */

import { Nftables, type NftElementOptions, type NftOperation, type NftTable } from '@fairlead/netlink';
import type { Repetition } from '@fairlead/raw-socket';
import { CHANCE_MAC, exitTo, TABLE } from './rules.js';
import { signFrames } from './signs.js';
import { repeatFrames, type SignsOfLifeOptions } from './signs-of-life.js';
import { orWithoutRules } from './without-rules.js';

export interface FormerOwnersOptions extends SignsOfLifeOptions {
  /** The host's network namespace; by default that of this process. */
  hostNetns?: string;
  /** For how long a sign of life may count, ms: what `SecondChance` was given. */
  lives: readonly number[];
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
  /** By index of the virtual router: at first, those that an earlier process knew a former owner of. */
  readonly #states: Map<number, State>;
  /** Says that the owners are alive, as long as they are the same. */
  #sayAlive: (() => void) | undefined;
  /** That is said over and over (`repeatAlive`); `stop` is undefined while it could not be. */
  #repeated: { ofMs: number; repetition: Repetition; stop: (() => void) | undefined } | undefined;

  constructor(options: FormerOwnersOptions) {
    this.#options = options;
    this.#nftables = new Nftables(options.hostNetns === undefined ? {} : { netns: options.hostNetns });
    this.#states = orWithoutRules(() => this.#read()) ?? new Map();
  }

  /**
   * This node owns it from now on. Without `former`, an earlier process may have known one. `aliveMs`: how long after its last sign of life it counts
   * as dead, one of `lives`; at most what others wait for a silent owner.
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
    this.#sayAlive = undefined;
    // Nor is it said over and over who was an owner before, should this fail.
    this.#pause();
    const formers = [...this.#states].flatMap(([index, { former }]) => (former ? [{ key: [index], former }] : []));
    const sets: Elements[] = [
      this.#alive(),
      ['guests', formers.map(({ key }) => ({ key }))],
      ['former', formers.map(({ key, former }) => ({ key, value: [former.mac] }))],
      ['exits', formers.map(({ key, former }) => ({ key, value: { verdict: 'goto', chain: exitTo(former.uplink) } }))],
    ];
    orWithoutRules(() => this.#nftables.apply(instead(sets)));
    this.#repeat();
  }

  /** Those that are owned or handed over, and at first those that an earlier process knew a former owner of; ascending. */
  list(): number[] {
    return [...this.#states.keys()].sort((a, b) => a - b);
  }

  /** To be called several times in `aliveMs`; does something for those only for which that is at most `ofMs`. */
  keepAlive(ofMs: number): void {
    if (this.#hasAny(ofMs)) this.#live();
  }

  /**
   * As `keepAlive`, over and over and without a turn of JavaScript for each time, until what is returned is ended. What was too late once is said no
   * more until the next `keep` or `write`.
   */
  repeatAlive(ofMs: number, repetition: Repetition): { end(): void } {
    this.#repeatNoMore();
    this.#repeated = { ofMs, repetition, stop: undefined };
    try {
      this.#repeat();
    } catch (error) {
      this.#repeated = undefined;
      throw error;
    }
    return { end: () => this.#repeatNoMore() };
  }

  /** To be called now and then: says that owners are alive, and puts back what was lost, as when the rules were made anew. */
  keep(): void {
    if (this.#states.size === 0) return;
    const [guest] = [...this.#states].find(([, { former }]) => former !== undefined) ?? [];
    // What says that owners are alive is written anyway; the rest gets lost all at once, with its table.
    const isLost =
      guest !== undefined && orWithoutRules(() => this.#nftables.element(table, 'guests', [guest])) === undefined;
    if (isLost) this.write();
    else if (this.#repeated?.stop === undefined) {
      this.#live();
      this.#repeat();
    } else if (this.#isUnheard()) this.#live();
  }

  close(): void {
    this.#repeatNoMore();
    this.#nftables.close();
  }

  #hasAny(ofMs: number): boolean {
    return [...this.#states.values()].some(({ aliveMs }) => aliveMs > 0 && aliveMs <= ofMs);
  }

  /** Of those that are owned now. */
  #repeat(): void {
    const repeated = this.#repeated;
    if (repeated === undefined) return;
    this.#pause();
    if (!this.#hasAny(repeated.ofMs)) return;
    const { lives } = this.#options;
    const signs = this.#living().map(([index, { aliveMs }]) => ({ index, life: lives.indexOf(aliveMs) }));
    const onMissed = () => this.#pause();
    repeated.stop = orWithoutRules(() =>
      repeatFrames(this.#options, signFrames(CHANCE_MAC, signs), repeated.repetition, onMissed),
    );
  }

  /** What says it over and over is not told whether anybody heeds it: the rules may be older ones, or new and without what was said before. */
  #isUnheard(): boolean {
    const [living] = this.#living();
    if (living === undefined) return false;
    return orWithoutRules(() => this.#nftables.element(table, 'alive', [living[0]])) === undefined;
  }

  /** Until the next `#repeat`. */
  #pause(): void {
    if (this.#repeated === undefined) return;
    this.#repeated.stop?.();
    this.#repeated.stop = undefined;
  }

  #repeatNoMore(): void {
    this.#pause();
    this.#repeated = undefined;
  }

  #live(): void {
    orWithoutRules(() => {
      this.#sayAlive ??= this.#nftables.prepare(instead([this.#alive()]));
      this.#sayAlive();
    });
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
