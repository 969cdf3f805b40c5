/**
 * Which station owned a virtual router before this node: the one that announced it last. What this node's director does not know is passed on
 * to it (packages/ipvs, second-chance), for as long as this node owns. An owner that fell silent may be dead; its kernel closes the way
 * into its director after a while, and from then on clients are better off refused than left without an answer.
 *
 * Pure: the clock is the caller's, in monotonic milliseconds.
 */

import { TimerQueue } from './timer-queue.js';

export interface Station {
  /** The interface that it is heard on. */
  uplink: string;
  /** Hardware address as text. */
  mac: string;
}

export class FormerOwner {
  readonly #heard = new Map<string, Station>();
  /** Until when what is not known is passed on to an owner that fell silent. */
  readonly #until = new TimerQueue<string>();

  /** Another station announces an address of the virtual router, or answers for it. */
  heard(name: string, station: Station): void {
    this.#heard.set(name, station);
  }

  isKnown(name: string): boolean {
    return this.#heard.has(name);
  }

  /** This node owns it from now on. `until`: for a former owner that fell silent. */
  owns(name: string, until: number | undefined): Station | undefined {
    const station = this.#heard.get(name);
    if (station === undefined || until === undefined) this.#until.delete(name);
    else this.#until.set(name, until);
    return station;
  }

  yields(name: string): void {
    this.#until.delete(name);
  }

  /** The virtual router is not contested here any more. */
  gone(name: string): void {
    this.#heard.delete(name);
    this.#until.delete(name);
  }

  /** Those whose former owner has been silent for too long; told once. */
  silent(now: number): string[] {
    const names: string[] = [];
    for (let name = this.#until.takeDue(now); name !== undefined; name = this.#until.takeDue(now)) names.push(name);
    return names;
  }

  /** When `silent` has something next. */
  get nextAt(): number | undefined {
    return this.#until.nextAt;
  }
}
