/** A pool as the allocator sees it, and the count of what is used of it. */

import {
  type AddressRange,
  type AddressSpace,
  addressOf,
  type Family,
  type IpAddress,
  intersection,
  isDedicated,
  mergeRanges,
  type PoolAudience,
  type ReusePolicy,
  rangesHave,
  type SharingScope,
  spaceCapacity,
  spaceHas,
} from '@fairlead/api';
import { FreeAddresses } from './free-addresses.js';

/** A pool as far as allocation is concerned. The ranges of its space are in effect now. */
export interface AllocatorPool extends AddressSpace, PoolAudience {
  name: string;
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
  /** Higher numbers are tried first. */
  priority: number;
  sharing: SharingScope;
  reusePolicy: ReusePolicy;
  coolDownMs: number;
  /** Whether users of addresses that the pool no longer has are to move. */
  reclaim: boolean;
  /** About to go: addresses in use count to another pool that has them, if there is one. */
  deleting: boolean;
}

/** A pool that gives its addresses to everybody, as an AddressPool does that says nothing else. */
export function plainPool(name: string, ranges: readonly AddressRange[]): AllocatorPool {
  return {
    name,
    ranges: [...ranges],
    avoidBuggyAddresses: false,
    draining: [],
    mode: 'open',
    autoAssign: true,
    priority: 0,
    sharing: 'SameNamespace',
    reusePolicy: 'LowestFirst',
    coolDownMs: 0,
    reclaim: false,
    deleting: false,
  };
}

/** Something else has these addresses, so they are not given out. */
export interface Withheld {
  range: AddressRange;
  /** Whose they are, as in `node "n1" has 192.0.2.10`. */
  why: string;
}

/** capacity = inUse + coolingDown + withheld + free. */
export interface FamilyUsage {
  capacity: bigint;
  /** In use within the pool's ranges. */
  inUse: number;
  /** In use outside of them. */
  draining: number;
  coolingDown: number;
  withheld: bigint;
  free: bigint;
}

/** The order in which pools are tried: by priority, then those that are kept for some, then as given (by age). */
export function inOrderOfUse(pools: readonly AllocatorPool[]): AllocatorPool[] {
  return [...pools].sort((a, b) => b.priority - a.priority || Number(isDedicated(b)) - Number(isDedicated(a)));
}

const FAMILIES: readonly Family[] = ['ipv4', 'ipv6'];

export class PoolState {
  readonly pool: AllocatorPool;
  readonly free: Record<Family, FreeAddresses>;
  readonly #withheldRanges: readonly AddressRange[];
  readonly #capacity: Record<Family, bigint>;
  readonly #withheldCapacity: Record<Family, bigint>;
  readonly #counts: Record<Family, { inUse: number; coolingDown: number; maskedWithheld: number }>;
  /** Addresses in use that count to the pool but are not in its ranges. */
  readonly outside: Record<Family, Set<bigint>> = { ipv4: new Set(), ipv6: new Set() };

  /** `before`: the state of the same pool up to now. What it knows of free addresses is kept where that is still true. */
  constructor(
    pool: AllocatorPool,
    withheld: readonly Withheld[],
    isTaken: (family: Family, value: bigint) => boolean,
    before: PoolState | undefined,
  ) {
    this.pool = pool;
    this.#withheldRanges = withheldWithin(pool, withheld);
    const reusable =
      before !== undefined &&
      before.pool.reusePolicy === pool.reusePolicy &&
      sameSpace(before.pool, pool) &&
      sameRanges(before.#withheldRanges, this.#withheldRanges);
    const byFamily = <T>(make: (family: Family) => T) => ({ ipv4: make('ipv4'), ipv6: make('ipv6') });
    this.free = reusable
      ? before.free
      : byFamily((family) => new FreeAddresses(pool, family, pool.reusePolicy, (value) => isTaken(family, value)));
    this.#capacity = byFamily((family) => spaceCapacity(pool, family));
    const held = { ranges: this.#withheldRanges, avoidBuggyAddresses: pool.avoidBuggyAddresses };
    this.#withheldCapacity = byFamily((family) => spaceCapacity(held, family));
    this.#counts = byFamily(() => ({ inUse: 0, coolingDown: 0, maskedWithheld: 0 }));
  }

  has(address: IpAddress): boolean {
    return spaceHas(this.pool, address);
  }

  /** Counts an address that counts to this pool as used, or no longer. */
  countUse(family: Family, value: bigint, delta: 1 | -1): void {
    const address = addressOf(family, value);
    if (this.has(address)) this.#count('inUse', address, delta);
    else if (delta > 0) this.outside[family].add(value);
    else this.outside[family].delete(value);
  }

  /** The same for cooling down; an address outside of the ranges does not count. */
  countCooling(family: Family, value: bigint, delta: 1 | -1): void {
    const address = addressOf(family, value);
    if (this.has(address)) this.#count('coolingDown', address, delta);
  }

  usage(family: Family): FamilyUsage {
    const capacity = this.#capacity[family];
    const { inUse, coolingDown, maskedWithheld } = this.#counts[family];
    const withheld = this.#withheldCapacity[family] - BigInt(maskedWithheld);
    const free = capacity - BigInt(inUse) - BigInt(coolingDown) - withheld;
    return { capacity, inUse, draining: this.outside[family].size, coolingDown, withheld, free };
  }

  /** Everything that counts to the pool, inside its ranges or not. */
  get homed(): number {
    return FAMILIES.reduce((sum, family) => sum + this.#counts[family].inUse + this.outside[family].size, 0);
  }

  #count(mark: 'inUse' | 'coolingDown', address: IpAddress, delta: 1 | -1): void {
    const counts = this.#counts[address.family];
    counts[mark] += delta;
    // In use or cooling down weighs more than withheld: each address counts once.
    if (this.#withheldRanges.length > 0 && rangesHave(this.#withheldRanges, address)) counts.maskedWithheld += delta;
  }
}

/** Whether two pools have the same addresses. */
export function sameSpace(a: AddressSpace, b: AddressSpace): boolean {
  return a.avoidBuggyAddresses === b.avoidBuggyAddresses && sameRanges(a.ranges, b.ranges);
}

function sameRanges(a: readonly AddressRange[], b: readonly AddressRange[]): boolean {
  return (
    a === b ||
    (a.length === b.length &&
      a.every(({ first, last }, index) => first.value === b[index]!.first.value && last.value === b[index]!.last.value))
  );
}

function withheldWithin(pool: AllocatorPool, withheld: readonly Withheld[]): AddressRange[] {
  const parts = withheld.flatMap(({ range }) => pool.ranges.flatMap((own) => intersection(own, range) ?? []));
  return mergeRanges(parts);
}
