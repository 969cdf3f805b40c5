/**
 * Who has which address: the whole truth of the controller, in memory, without Kubernetes.
 *
 * The safety argument: an address has at most one entry in `#users`, whatever pools exist, and allocate() and adopt()
 * are the only ways in. Pools say which addresses may be handed out and to which pool one in use is counted; changing or
 * removing a pool never removes a user. Everything is deterministic: pools are asked in the order given to setPools(),
 * and each gives its lowest free address.
 */

import {
  type AddressRange,
  addressOf,
  capacityOf,
  contains,
  type Family,
  type IpAddress,
  mergeRanges,
} from '@fairlead/api';
import { FreeAddresses } from './free-addresses.js';

/** A pool as far as allocation is concerned. */
export interface AllocatorPool {
  name: string;
  /** In effect now: ascending, disjoint. */
  ranges: readonly AddressRange[];
  /** Known to be in use though no longer in `ranges`. */
  draining: readonly AddressRange[];
  /**
   * open: gives out addresses. closed: does not, `why` says the reason. undecided: its spec is being looked at, and
   * whoever waits for it should not be told a reason that may be void in a moment.
   */
  mode: 'open' | 'closed' | 'undecided';
  why?: string;
  /** Whether they may be given to users that name no pool. */
  autoAssign: boolean;
  /** About to go: addresses in use count to another pool that has them, if there is one. */
  deleting: boolean;
}

export interface Allocation {
  address: IpAddress;
  /** The pool that the address counts to; undefined when no pool has it (any more). */
  pool: string | undefined;
}

export interface FamilyUsage {
  capacity: bigint;
  /** In use within the pool's ranges. */
  inUse: number;
}

interface User {
  owner: string;
  pool: string | undefined;
}

interface PoolState {
  pool: AllocatorPool;
  free: Record<Family, FreeAddresses>;
  capacity: Record<Family, bigint>;
  inUse: Record<Family, number>;
  /** Everything that counts to the pool, inside its ranges or not. */
  homed: number;
}

export class Allocator {
  readonly #users: Record<Family, Map<bigint, User>> = { ipv4: new Map(), ipv6: new Map() };
  #pools = new Map<string, PoolState>();

  /** Replaces all pools; the order is the order in which they are tried. Users keep their addresses. */
  setPools(pools: readonly AllocatorPool[]): void {
    this.#pools = new Map(pools.map((pool) => [pool.name, this.#newState(pool)]));
    for (const family of ['ipv4', 'ipv6'] as const) {
      for (const [value, user] of this.#users[family]) {
        user.pool = this.#homeOf(addressOf(family, value), user.pool);
        this.#count(family, value, user.pool, 1);
      }
    }
  }

  /** The lowest free address of the named pool, or of the first open pool with autoAssign that has one. */
  allocate(owner: string, family: Family, poolName?: string): Allocation | undefined {
    for (const state of poolName === undefined ? this.#pools.values() : [this.#pools.get(poolName)]) {
      if (state?.pool.mode !== 'open' || (poolName === undefined && !state.pool.autoAssign)) continue;
      const value = state.free[family].take();
      if (value === undefined) continue;
      this.#users[family].set(value, { owner, pool: state.pool.name });
      this.#count(family, value, state.pool.name, 1);
      return { address: addressOf(family, value), pool: state.pool.name };
    }
    return undefined;
  }

  /** Records that `owner` has the address already. False when somebody else has it. Idempotent. */
  adopt(owner: string, address: IpAddress): boolean {
    const users = this.#users[address.family];
    const value = BigInt(address.value);
    const user = users.get(value);
    if (user) return user.owner === owner;
    const pool = this.#homeOf(address, undefined);
    users.set(value, { owner, pool });
    this.#count(address.family, value, pool, 1);
    return true;
  }

  /** Makes the address free again. Returns the pool it counted to. Throws when `owner` does not have it. */
  release(owner: string, address: IpAddress): string | undefined {
    const users = this.#users[address.family];
    const value = BigInt(address.value);
    const user = users.get(value);
    if (user?.owner !== owner) throw new Error(`cannot release an address of ${user?.owner ?? 'nobody'} for ${owner}`);
    users.delete(value);
    this.#count(address.family, value, user.pool, -1);
    // Any pool that has it may give it out next; the ranges of two pools can overlap while one of them is going.
    for (const { pool, free } of this.#pools.values()) {
      if (inRanges(pool.ranges, address)) free[address.family].giveBack(value);
    }
    return user.pool;
  }

  ownerOf(address: IpAddress): string | undefined {
    return this.#users[address.family].get(BigInt(address.value))?.owner;
  }

  /** The pool that an address in use counts to. */
  poolOf(address: IpAddress): string | undefined {
    return this.#users[address.family].get(BigInt(address.value))?.pool;
  }

  /** Whether the address is in the ranges of any pool. */
  isPooled(address: IpAddress): boolean {
    for (const { pool } of this.#pools.values()) if (inRanges(pool.ranges, address)) return true;
    return false;
  }

  pool(name: string): AllocatorPool | undefined {
    return this.#pools.get(name)?.pool;
  }

  pools(): AllocatorPool[] {
    return [...this.#pools.values()].map((state) => state.pool);
  }

  /** Capacity and use of one family of a pool; undefined when there is no such pool. */
  usage(poolName: string, family: Family): FamilyUsage | undefined {
    const state = this.#pools.get(poolName);
    return state && { capacity: state.capacity[family], inUse: state.inUse[family] };
  }

  /** How many addresses in use count to the pool, inside its ranges or not. */
  homedIn(poolName: string): number {
    return this.#pools.get(poolName)?.homed ?? 0;
  }

  /** The addresses that count to the pool but would be outside these ranges, joined. */
  outside(poolName: string, ranges: readonly AddressRange[]): AddressRange[] {
    if (this.homedIn(poolName) === 0) return [];
    const left: AddressRange[] = [];
    for (const family of ['ipv4', 'ipv6'] as const) {
      for (const [value, user] of this.#users[family]) {
        if (user.pool !== poolName) continue;
        const address = addressOf(family, value);
        if (!inRanges(ranges, address)) left.push({ first: address, last: address });
      }
    }
    return mergeRanges(left);
  }

  /** Addresses in use, all pools together. */
  get size(): number {
    return this.#users.ipv4.size + this.#users.ipv6.size;
  }

  #newState(pool: AllocatorPool): PoolState {
    const byFamily = <T>(make: (family: Family, ranges: AddressRange[]) => T): Record<Family, T> => {
      const of = (family: Family) => pool.ranges.filter((range) => range.first.family === family);
      return { ipv4: make('ipv4', of('ipv4')), ipv6: make('ipv6', of('ipv6')) };
    };
    return {
      pool,
      free: byFamily((family, ranges) => new FreeAddresses(ranges, (value) => this.#users[family].has(value))),
      capacity: byFamily((_, ranges) => capacityOf(ranges)),
      inUse: { ipv4: 0, ipv6: 0 },
      homed: 0,
    };
  }

  /** The pool that has the address now, else the one known to drain it, else the one it counted to before. */
  #homeOf(address: IpAddress, before: string | undefined): string | undefined {
    let draining: string | undefined;
    let deleting: string | undefined;
    for (const { pool } of this.#pools.values()) {
      if (inRanges(pool.ranges, address)) {
        if (!pool.deleting) return pool.name;
        deleting ??= pool.name;
      } else if (inRanges(pool.draining, address)) {
        draining ??= pool.name;
      }
    }
    return deleting ?? draining ?? (before !== undefined && this.#pools.has(before) ? before : undefined);
  }

  #count(family: Family, value: bigint, poolName: string | undefined, delta: 1 | -1): void {
    const state = poolName === undefined ? undefined : this.#pools.get(poolName);
    if (!state) return;
    state.homed += delta;
    if (inRanges(state.pool.ranges, addressOf(family, value))) state.inUse[family] += delta;
  }
}

/** Binary search: pools may list hundreds of ranges. `ranges` ascending and disjoint. */
function inRanges(ranges: readonly AddressRange[], address: IpAddress): boolean {
  let low = 0;
  let high = ranges.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const range = ranges[middle]!;
    if (contains(range, address)) return true;
    const before =
      range.first.family === address.family ? range.first.value < address.value : range.first.family === 'ipv4';
    if (before) low = middle + 1;
    else high = middle - 1;
  }
  return false;
}
