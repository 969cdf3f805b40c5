/**
 * What a node advertises of all its virtual routers: together, by one call for each segment; and what stays the same is left to the sockets, which
 * say it again and again by themselves (`RawSocket.repeat`). An owner at rest then does nothing but answer.
 */

import type { Repeated, Repetition } from '@fairlead/raw-socket';
import { FENCE_INTERVALS } from './machine.js';
import { isSame, type Outgoing, type Segment, type VrrpTransport } from './transport.js';

/** An advertisement that is to go out. */
export interface Due {
  /** Of the virtual router. */
  name: string;
  packet: Outgoing;
  segment: Segment;
  /** What goes out by one call is of one segment. */
  segmentKey: string;
}

export interface AdvertiserOptions {
  intervalMs: number;
  /** Without `repeat`, everything is sent by `send`. */
  transport: Pick<VrrpTransport, 'send'> & Partial<Pick<VrrpTransport, 'repeat'>>;
  /** Monotonic milliseconds. */
  clock: () => number;
  /** Whether what is sent now is all that there is to be sent, and stays so as far as is known. */
  isAll: (sent: readonly Due[]) => boolean;
  /** It is repeated no longer, as something did not go, was too late, or had its socket closed; `take` tells when it went last. */
  onMissed: () => void;
  /** A system call failed; the others go on. */
  onError: (attempt: string, error: Error) => void;
}

/** What was the same so often in succession is left to the sockets. */
const REPEATED_AFTER = 10;

export class Advertiser {
  readonly #options: AdvertiserOptions;
  #due: Due[] = [];
  /** What went last, and how often in succession it was that. */
  #sent: readonly Outgoing[] = [];
  #times = 0;
  #repeated: readonly Repeated[] | undefined;

  constructor(options: AdvertiserOptions) {
    this.#options = options;
  }

  get isRepeating(): boolean {
    return this.#repeated !== undefined;
  }

  /** To go out with the next `send`. */
  put(due: Due): void {
    this.#due.push(due);
  }

  /** What is due; the same object as last time stands for the same advertisement. */
  send(): void {
    const due = this.#due;
    if (due.length === 0) return;
    this.#due = [];
    const packets = due.map(({ packet }) => packet);
    this.#times = isSame(this.#sent, packets) ? this.#times + 1 : 1;
    this.#sent = packets;
    const segments = bySegment(due);
    const at = this.#options.clock();
    for (const together of segments) this.#sendTogether(together);
    if (this.#times > REPEATED_AFTER && this.#options.isAll(due)) this.#repeat(segments, at);
  }

  /** When all that is repeated went last, on the clock. */
  get repeatedAt(): number | undefined {
    if (this.#repeated === undefined) return undefined;
    return this.#options.clock() - Math.max(...this.#repeated.map((part) => part.since()));
  }

  /** From now on nothing is repeated. Returns when all of it went last, or undefined if nothing was repeated. */
  take(): number | undefined {
    const at = this.repeatedAt;
    const repeated = this.#repeated;
    if (repeated === undefined) return undefined;
    this.#repeated = undefined;
    this.#times = 0;
    for (const part of repeated) part.end();
    return at;
  }

  #sendTogether(together: readonly Due[]): void {
    const { transport, onError } = this.#options;
    try {
      transport.send(packetsOf(together), together[0]!.segment);
    } catch (error) {
      // Whoever sends it again tells of it again.
      this.#times = 0;
      onError(`advertise ${together.map(({ name }) => name).join(', ')}`, error as Error);
    }
  }

  /** What was sent then; to tell the kernel of it may have taken long. */
  #repeat(segments: readonly (readonly Due[])[], at: number): void {
    const { transport, intervalMs, clock, onMissed, onError } = this.#options;
    if (transport.repeat === undefined) return;
    const repetition: Repetition = { everyMs: intervalMs, withinMs: Math.floor(FENCE_INTERVALS * intervalMs) };
    const parts: Repeated[] = [];
    try {
      for (const together of segments) {
        const since = { ...repetition, agoMs: Math.max(0, clock() - at) };
        parts.push(transport.repeat(packetsOf(together), together[0]!.segment, since, onMissed));
      }
      this.#repeated = parts;
    } catch (error) {
      for (const part of parts) part.end();
      this.#times = 0;
      onError('leave advertisements to the sockets', error as Error);
    }
  }
}

function bySegment(due: readonly Due[]): Due[][] {
  const segments = new Map<string, Due[]>();
  for (const one of due) {
    const others = segments.get(one.segmentKey);
    if (others) others.push(one);
    else segments.set(one.segmentKey, [one]);
  }
  return [...segments.values()];
}

function packetsOf(due: readonly Due[]): Outgoing[] {
  return due.map(({ packet }) => packet);
}
