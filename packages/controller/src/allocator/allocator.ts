/**
 * Who has which address: the whole truth of the controller, in memory, without Kubernetes.
 *
 * The safety argument: an address has at most one entry in `#users`, whatever pools exist, and allocate() and adopt() are the
 * only ways in; they add a second holder to an entry only if the two may share. Pools say which addresses may be handed out
 * and to which pool one in use is counted; changing or removing a pool never removes a user. Everything is deterministic:
 * pools are asked in their order of use, and each gives the address that its reuse policy names.
 */

import {
  type AddressRange,
  type AddressSpace,
  addressOf,
  type Family,
  type IpAddress,
  mergeRanges,
  rangesHave,
  refusedBy,
  type ServiceRequest,
  size,
  spaceHas,
} from '@fairlead/api';
import { CoolingAddresses } from './allocator-cooling.js';
import { AddressMap } from './allocator-map.js';
import {
  type AllocatorPool,
  type FamilyUsage,
  inOrderOfUse,
  PoolState,
  sameSpace,
  type Withheld,
} from './allocator-pool.js';
import { type Holder, SharedAddresses, type SharingFault, sharingFault } from './allocator-sharing.js';

export type { AllocatorPool, FamilyUsage, Withheld } from './allocator-pool.js';
export type { Holder, SharingFault } from './allocator-sharing.js';

/** What is asked for; see ServiceRequest. */
export interface Wish extends Pick<ServiceRequest, 'families'> {
  pool?: string | undefined;
  addresses?: readonly IpAddress[];
  /** Default all. */
  need?: ServiceRequest['need'];
}

export interface Allocation {
  address: IpAddress;
  /** The pool that the address counts to; undefined when no pool has it (any more). */
  pool: string | undefined;
}

/** Why a pool gives a holder nothing, whatever it has free. */
export type PoolObstacle = 'closed' | 'undecided' | 'notAutoAssign' | 'namespace' | 'service';

/** Why a holder cannot have a certain address. */
export type AddressObstacle =
  /** No pool has it, or `pool` (the one asked for) does not; `elsewhere` is one that does. */
  | { kind: 'notPooled'; pool: string | undefined; elsewhere: string | undefined }
  | { kind: 'pool'; pool: AllocatorPool; why: PoolObstacle }
  | { kind: 'withheld'; why: string }
  | SharingFault;

export interface CoolingAddress {
  address: IpAddress;
  untilMs: number;
}

/** One address in use. */
interface Slot {
  /** At least one. */
  holders: Holder[];
  pool: string | undefined;
}

const FAMILIES: readonly Family[] = ['ipv4', 'ipv6'];
/** More addresses than this were never freed within a cool-down: somebody has edited the status. */
const MAX_RESTORED = 65_536n;

export class Allocator {
  readonly #now: () => number;
  readonly #users = { ipv4: new AddressMap<Slot>(), ipv6: new AddressMap<Slot>() };
  readonly #cooling = { ipv4: new CoolingAddresses(), ipv6: new CoolingAddresses() };
  readonly #shared = { ipv4: new SharedAddresses(), ipv6: new SharedAddresses() };
  /** In order of use. */
  #pools = new Map<string, PoolState>();
  #withheld: readonly Withheld[] = [];
  #withheldRanges: readonly AddressRange[] = [];

  /** `now`: ms since the epoch; it only ends cool-downs. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * Replaces all pools (among equals of priority the order given counts) and what is withheld from them because something
   * else has it. Users keep their addresses.
   */
  setPools(pools: readonly AllocatorPool[], withheld: readonly Withheld[] = this.#withheld): void {
    this.#withheld = withheld;
    this.#withheldRanges = mergeRanges(withheld.map(({ range }) => range));
    const before = this.#pools;
    const isTaken = (family: Family, value: bigint) => this.#isTaken(family, value);
    this.#pools = new Map(
      inOrderOfUse(pools).map((pool) => [
        pool.name,
        new PoolState(pool, this.#withheld, isTaken, before.get(pool.name)),
      ]),
    );
    for (const family of FAMILIES) {
      for (const [value, slot] of this.#users[family].entries()) {
        slot.pool = this.#homeOf(addressOf(family, value), slot.pool);
        this.#home(slot)?.countUse(family, value, 1);
      }
      for (const [value] of this.#cooling[family].entries()) this.#countCooling(family, value, 1);
    }
  }

  /**
   * Addresses of every family asked for, all of one pool, in the order of the families; or, where that is enough, of one
   * family. Undefined when there are none: nothing has changed then.
   */
  allocate(holder: Holder, wish: Wish): Allocation[] | undefined {
    const { families, need = 'all', addresses = [] } = wish;
    const whole = this.#allocateAll(holder, wish, families);
    if (whole || need === 'all' || families.length < 2) return whole;
    for (const family of families) {
      if (addresses.some((address) => address.family !== family)) continue;
      const part = this.#allocateAll(holder, wish, [family]);
      if (part) return part;
    }
    return undefined;
  }

  /**
   * Records that the holder has the address already, or that it has changed what it says of sharing. Undefined: done. Else
   * why it cannot be (nothing has changed then). Idempotent. The scope of sharing is not looked at: it is for new ones.
   */
  adopt(holder: Holder, address: IpAddress): SharingFault | undefined {
    const value = BigInt(address.value);
    const slot = this.#users[address.family].get(value);
    const fault = slot && sharingFault(holder, slot.holders, 'AnyNamespace');
    if (!fault) this.#take(holder, address.family, value, slot ? slot.pool : this.#homeOf(address, undefined));
    return fault;
  }

  /** Takes one holder off the address. Returns the pool it counts to. Throws when the holder does not have it. */
  release(key: string, address: IpAddress): string | undefined {
    const { family } = address;
    const value = BigInt(address.value);
    const slot = this.#users[family].get(value);
    const index = slot?.holders.findIndex((holder) => holder.key === key) ?? -1;
    if (!slot || index < 0) {
      throw new Error(`cannot release an address of ${this.holdersOf(address).join(', ') || 'nobody'} for ${key}`);
    }
    const [holder] = slot.holders.splice(index, 1);
    if (slot.holders.length > 0) return slot.pool;
    this.#users[family].delete(value);
    if (holder!.sharing) this.#shared[family].delete(holder!.sharing.key, value);
    const home = this.#home(slot);
    home?.countUse(family, value, -1);
    const coolDownMs = home?.pool.coolDownMs ?? 0;
    if (coolDownMs > 0) this.#cool(family, value, this.#now() + coolDownMs, key);
    else this.#giveBack(family, value);
    return slot.pool;
  }

  /** Ends the cool-downs whose time is over; to be called at wakeAtMs. Whether somebody who waits may be served now. */
  wake(): boolean {
    let woken = false;
    for (const family of FAMILIES) {
      for (const value of this.#cooling[family].expire(this.#now())) {
        this.#countCooling(family, value, -1);
        this.#giveBack(family, value);
        woken = true;
      }
    }
    return woken;
  }

  /** When wake() may have something to do, ms since the epoch; undefined: nothing cools down. */
  get wakeAtMs(): number | undefined {
    const [v4, v6] = [this.#cooling.ipv4.nextMs, this.#cooling.ipv6.nextMs];
    return v4 === undefined || v6 === undefined ? (v4 ?? v6) : Math.min(v4, v6);
  }

  /** Takes over what was cooling down when an earlier process ended. Addresses in use are not affected. */
  restoreCooling(entries: readonly { range: AddressRange; untilMs: number }[]): void {
    let left = MAX_RESTORED;
    for (const { range, untilMs } of entries) {
      left -= size(range);
      if (left < 0n || untilMs <= this.#now()) continue;
      const { family } = range.first;
      for (let value = BigInt(range.first.value); value <= BigInt(range.last.value); value++) {
        const isKnown = this.#users[family].has(value) || this.#cooling[family].has(value);
        if (!isKnown) this.#cool(family, value, untilMs, undefined);
      }
    }
  }

  /** The addresses of the pool that cool down. */
  coolingIn(poolName: string): CoolingAddress[] {
    const state = this.#pools.get(poolName);
    if (!state) return [];
    return FAMILIES.flatMap((family) =>
      [...this.#cooling[family].entries()].flatMap(([value, untilMs]) => {
        const address = addressOf(family, value);
        return state.has(address) ? [{ address, untilMs }] : [];
      }),
    );
  }

  /** Keys of those that have the address; more than one where it is shared. */
  holdersOf(address: IpAddress): string[] {
    return this.#slotOf(address)?.holders.map((holder) => holder.key) ?? [];
  }

  /** The pool that an address in use counts to. */
  poolOf(address: IpAddress): string | undefined {
    return this.#slotOf(address)?.pool;
  }

  /** Whether the pool of an address in use wants it back: it has it no longer, or is going, and says `reclaim`. */
  isReclaimed(address: IpAddress): boolean {
    const slot = this.#slotOf(address);
    const state = slot && this.#home(slot);
    if (!state?.pool.reclaim) return false;
    return state.pool.deleting || (state.pool.mode === 'open' && !state.has(address));
  }

  /** Whether the address is one of any pool's. */
  isPooled(address: IpAddress): boolean {
    for (const state of this.#pools.values()) if (state.has(address)) return true;
    return false;
  }

  /** Whether a pool has the address, or drains it. */
  hasHome(address: IpAddress): boolean {
    return this.#homeOf(address, undefined) !== undefined;
  }

  /** Why this pool gives the holder nothing; undefined when it does, as long as it has something free. */
  poolObstacle(pool: AllocatorPool, holder: Holder, wish: Pick<Wish, 'pool' | 'addresses'>): PoolObstacle | undefined {
    if (pool.mode !== 'open') return pool.mode;
    // Whoever names the pool or an address of it asks for this pool.
    const asksForIt = wish.pool === pool.name || (wish.addresses?.length ?? 0) > 0;
    return refusedBy(pool, holder) ?? (pool.autoAssign || asksForIt ? undefined : 'notAutoAssign');
  }

  /** Why the holder cannot have this address now; undefined when it can. */
  addressObstacle(holder: Holder, address: IpAddress, poolName?: string): AddressObstacle | undefined {
    const having = [...this.#pools.values()].filter((state) => state.has(address) && !state.pool.deleting);
    const state = poolName === undefined ? having[0] : having.find(({ pool }) => pool.name === poolName);
    if (!state) return { kind: 'notPooled', pool: poolName, elsewhere: having[0]?.pool.name };
    const why = this.poolObstacle(state.pool, holder, { addresses: [address] });
    if (why) return { kind: 'pool', pool: state.pool, why };
    const withheld = this.#withheld.find(({ range }) => rangesHave([range], address));
    if (withheld) return { kind: 'withheld', why: withheld.why };
    // The first by name: whoever asks again, after a restart too, is told the same.
    const holders = (this.#slotOf(address)?.holders ?? []).toSorted((a, b) => (a.key < b.key ? -1 : 1));
    return sharingFault(holder, holders, state.pool.sharing);
  }

  pool(name: string): AllocatorPool | undefined {
    return this.#pools.get(name)?.pool;
  }

  /** In order of use. */
  pools(): AllocatorPool[] {
    return [...this.#pools.values()].map((state) => state.pool);
  }

  /** Capacity and use of one family of a pool; undefined when there is no such pool. */
  usage(poolName: string, family: Family): FamilyUsage | undefined {
    return this.#pools.get(poolName)?.usage(family);
  }

  /** How many addresses in use count to the pool, inside its ranges or not. */
  homedIn(poolName: string): number {
    return this.#pools.get(poolName)?.homed ?? 0;
  }

  /** The addresses that count to the pool but would be outside of this space, joined. */
  outside(poolName: string, space: AddressSpace): AddressRange[] {
    const state = this.#pools.get(poolName);
    if (!state || state.homed === 0) return [];
    const isPresent = sameSpace(state.pool, space);
    const left: AddressRange[] = [];
    for (const family of FAMILIES) {
      for (const value of isPresent ? state.outside[family] : this.#users[family].keys()) {
        const address = addressOf(family, value);
        const isOutside = isPresent || (this.poolOf(address) === poolName && !spaceHas(space, address));
        if (isOutside) left.push({ first: address, last: address });
      }
    }
    return mergeRanges(left);
  }

  /** Addresses in use, all pools together. */
  get size(): number {
    return this.#users.ipv4.size + this.#users.ipv6.size;
  }

  #allocateAll(holder: Holder, wish: Wish, families: readonly Family[]): Allocation[] | undefined {
    for (const state of wish.pool === undefined ? this.#pools.values() : [this.#pools.get(wish.pool)]) {
      if (!state || this.poolObstacle(state.pool, holder, wish)) continue;
      const picked = this.#pickAll(state, holder, wish, families);
      if (!picked) continue;
      const { name } = state.pool;
      const allocations: Allocation[] = [];
      for (let index = 0; index < picked.length; index++) {
        const [family, value] = [families[index]!, picked[index]!];
        this.#take(holder, family, value, name);
        allocations.push({ address: addressOf(family, value), pool: name });
      }
      return allocations;
    }
    return undefined;
  }

  /** One address of each family, or undefined; nothing changes. */
  #pickAll(state: PoolState, holder: Holder, wish: Wish, families: readonly Family[]): bigint[] | undefined {
    const picked: bigint[] = [];
    for (const family of families) {
      const value = this.#pick(state, holder, family, wish);
      if (value === undefined) return undefined;
      picked.push(value);
    }
    return picked;
  }

  /** The address of this pool that the holder should have; nothing changes. */
  #pick(state: PoolState, holder: Holder, family: Family, { addresses }: Wish): bigint | undefined {
    const asked = addresses?.find((address) => address.family === family);
    if (asked) {
      const value = BigInt(asked.value);
      return this.#mayHave(state, holder, family, value) ? value : undefined;
    }
    const { sharing } = holder;
    const shared = sharing ? this.#shared[family].of(sharing.key) : [];
    const known = shared.find((value) => this.#mayHave(state, holder, family, value));
    if (known !== undefined) return known;
    // Caches that still point to it are right again.
    const former = this.#cooling[family].of(holder.key);
    if (former !== undefined && this.#mayHave(state, holder, family, former)) return former;
    return state.free[family].next();
  }

  #mayHave(state: PoolState, holder: Holder, family: Family, value: bigint): boolean {
    const address = addressOf(family, value);
    if (!state.has(address) || this.#isWithheld(family, value)) return false;
    return !sharingFault(holder, this.#slotOf(address)?.holders ?? [], state.pool.sharing);
  }

  #take(holder: Holder, family: Family, value: bigint, pool: string | undefined): void {
    const slot = this.#users[family].get(value);
    const before = slot?.holders.find((each) => each.key === holder.key);
    if (slot) {
      slot.holders = [...slot.holders.filter((each) => each !== before), holder];
    } else {
      if (this.#cooling[family].delete(value)) this.#countCooling(family, value, -1);
      const fresh: Slot = { holders: [holder], pool };
      this.#users[family].set(value, fresh);
      this.#home(fresh)?.countUse(family, value, 1);
    }
    if (before?.sharing) this.#shared[family].delete(before.sharing.key, value);
    if (holder.sharing) this.#shared[family].add(holder.sharing.key, value);
  }

  #cool(family: Family, value: bigint, untilMs: number, owner: string | undefined): void {
    this.#cooling[family].add(value, untilMs, owner);
    this.#countCooling(family, value, 1);
  }

  /** Any pool that has it may give it out next; the ranges of two pools can overlap while one of them is going. */
  #giveBack(family: Family, value: bigint): void {
    const address = addressOf(family, value);
    for (const state of this.#pools.values()) if (state.has(address)) state.free[family].giveBack(value);
  }

  #countCooling(family: Family, value: bigint, delta: 1 | -1): void {
    for (const state of this.#pools.values()) state.countCooling(family, value, delta);
  }

  #isTaken(family: Family, value: bigint): boolean {
    return this.#users[family].has(value) || this.#cooling[family].has(value) || this.#isWithheld(family, value);
  }

  #isWithheld(family: Family, value: bigint): boolean {
    return this.#withheldRanges.length > 0 && rangesHave(this.#withheldRanges, addressOf(family, value));
  }

  #slotOf(address: IpAddress): Slot | undefined {
    return this.#users[address.family].get(BigInt(address.value));
  }

  #home(slot: Slot): PoolState | undefined {
    return slot.pool === undefined ? undefined : this.#pools.get(slot.pool);
  }

  /** The pool that has the address now, else the one known to drain it, else the one it counted to before. */
  #homeOf(address: IpAddress, before: string | undefined): string | undefined {
    let draining: string | undefined;
    let deleting: string | undefined;
    for (const state of this.#pools.values()) {
      const { pool } = state;
      if (state.has(address)) {
        if (!pool.deleting) return pool.name;
        deleting ??= pool.name;
      } else if (rangesHave(pool.draining, address)) {
        draining ??= pool.name;
      }
    }
    return deleting ?? draining ?? (before !== undefined && this.#pools.has(before) ? before : undefined);
  }
}
