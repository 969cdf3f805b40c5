/** Short ways to ask an allocator, for its specs. */

import { formatAddress, type IpAddress, parseAddress } from '@fairlead/api';
import { holder } from '../model/model-cluster.spec.helpers.js';
import { Allocator, type AllocatorPool, type Holder, type Wish, type Withheld } from './allocator.js';

/** An allocator whose clock stands where `nowMs` says. */
export class TestAllocator extends Allocator {
  readonly clock: { nowMs: number };

  constructor(pools: readonly AllocatorPool[], withheld: readonly Withheld[] = []) {
    const clock = { nowMs: 0 };
    super(() => clock.nowMs);
    this.clock = clock;
    this.setPools(pools, withheld);
  }

  /** What it gives, as `address address pool`; 'none' when nothing. */
  give(who: string | Holder, wish: Partial<Wish> = {}): string {
    const given = this.allocate(typeof who === 'string' ? holder(who) : who, { families: ['ipv4'], ...wish });
    return given ? [...given.map(({ address }) => formatAddress(address)), given[0]!.pool].join(' ') : 'none';
  }

  /** Undefined when it is adopted, else why not. */
  takeOver(who: string | Holder, address: string): string | undefined {
    return this.adopt(typeof who === 'string' ? holder(who) : who, parseAddress(address))?.why;
  }

  free(key: string, address: string): void {
    this.release(key, parseAddress(address));
  }
}

export function addresses(...texts: string[]): IpAddress[] {
  return texts.map(parseAddress);
}

/** One that shares by a key; its ports as `tcp/80`. */
export function sharer(key: string, sharingKey: string, ports: string[], more: Partial<Holder> = {}): Holder {
  return holder(key, { sharing: { key: sharingKey, ports, backend: '' }, ...more });
}
