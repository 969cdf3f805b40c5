/**
 * What is to be sent when there is time for it: announcing sixteen thousand VIPs takes longer than a VRRP interval, and must delay neither
 * an advertisement nor an answer. So it goes out a slice at a time, what matters most first, and what is no longer true not at all.
 *
 * A queue of a NIC or a veth holds some hundred frames. When it is full the rest waits for a millisecond, instead of being lost.
 *
 * No timer of its own: `nextAt` says when `send` has something to do.
 */
import type { VipKey } from './vip-key.js';

/** Where a post goes. */
export interface Outlet {
  readonly name: string;
  readonly mac: Buffer;
  /** Frames of one ethertype. How many went: fewer than all when the interface takes no more now. Throws a SystemError. */
  send(frames: readonly Buffer[]): number;
}

/** One frame each, in the order of the addresses. */
export type Form = (ips: readonly VipKey[], mac: Buffer) => Buffer[];

export interface Post {
  to: Outlet;
  /** Of one family. */
  ips: readonly VipKey[];
  form: Form;
  /** Asked before every slice: who has yielded is silent at once. */
  wanted: () => boolean;
}

/** How many frames go out at a time: about a millisecond's worth. */
export const SLICE = 256;
const FULL_WAIT_MS = 1;
/** An interface that has taken nothing for so long is not going to. */
const PATIENCE_MS = 1_000;

interface Queued extends Post {
  /** How many have been sent. */
  sent: number;
}

export class Outbox {
  readonly #onError: (post: Post, error: Error) => void;
  /** The most urgent first. */
  readonly #queues: [Queued[], Queued[], Queued[]] = [[], [], []];
  /** An interface is full. */
  #waitUntil: number | undefined;
  #fullSince: number | undefined;

  /** @param onError a post could not be sent, and is given up */
  constructor(onError: (post: Post, error: Error) => void) {
    this.#onError = onError;
  }

  /** @param urgency 0: now, 1: next, 2: when there is nothing else */
  put(urgency: 0 | 1 | 2, post: Post): void {
    if (post.ips.length > 0) this.#queues[urgency].push({ ...post, sent: 0 });
  }

  /** When `send` has something to do, or undefined when everything has been sent. */
  nextAt(now: number): number | undefined {
    if (this.#queues.every(({ length }) => length === 0)) return undefined;
    return this.#waitUntil ?? now;
  }

  /** Sends a slice of the most urgent. */
  send(now: number): void {
    if (this.#waitUntil !== undefined && now < this.#waitUntil) return;
    this.#waitUntil = undefined;
    for (let room = SLICE; room > 0 && this.#waitUntil === undefined; ) {
      const queue = this.#queues.find(({ length }) => length > 0);
      if (queue === undefined) return;
      room -= this.#sendOf(queue, room, now);
    }
  }

  /** Tells how many frames it has sent. */
  #sendOf(queue: Queued[], room: number, now: number): number {
    const post = queue[0]!;
    if (!post.wanted()) {
      queue.shift();
      return 0;
    }
    const ips = post.ips.slice(post.sent, post.sent + room);
    let sent = 0;
    try {
      sent = post.to.send(post.form(ips, post.to.mac));
    } catch (error) {
      this.#onError(post, error as Error);
      queue.shift();
      return 0;
    }
    post.sent += sent;
    if (post.sent === post.ips.length) queue.shift();
    if (sent === ips.length) this.#fullSince = undefined;
    else this.#full(queue, sent > 0, now);
    return sent;
  }

  #full(queue: Queued[], hasTakenSome: boolean, now: number): void {
    this.#waitUntil = now + FULL_WAIT_MS;
    if (hasTakenSome) this.#fullSince = undefined;
    this.#fullSince ??= now;
    if (now - this.#fullSince < PATIENCE_MS) return;
    const post = queue.shift()!;
    this.#fullSince = undefined;
    this.#waitUntil = undefined;
    const rest = post.ips.length - post.sent;
    this.#onError(post, new Error(`${post.to.name} has taken no frame for ${PATIENCE_MS} ms; ${rest} are not sent`));
  }
}
