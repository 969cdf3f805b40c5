/**
 * The ledger: which Service has, leaves or waits for which address. It is fed with what the API server shows and says
 * which Services have to be written; it never writes itself.
 *
 *   observe(Service) ──▶ adopt what its status shows ──▶ has what it wants? ──no──▶ allocate, else wait
 *                                                              │yes
 *   verdict(key) ◀── what its status should say ◀──────────────┘
 *
 * Two rules make it safe:
 * 1. An address is held by a Service for as long as its status is *seen* to show it or should show it. So an address that
 *    a Service has to give up is free for the next one only after the API server has shown that it is gone.
 * 2. Nothing but what the API server shows is needed to rebuild the ledger: a restart adopts all shown addresses first
 *    (load) and allocates after that.
 */

import { type AddressRange, compareAddresses, type Family, formatAddress, type IpAddress } from '@fairlead/api';
import { type Allocation, Allocator, type AllocatorPool, type Withheld } from './allocator.js';
import { explain } from './explain.js';
import type { Observation, Problem } from './service-observation.js';
import { WaitingList } from './waiting-list.js';

/** What should become of a Service's status. */
export type Verdict =
  /** Nothing of it is ours. */
  | { kind: 'ignore' }
  /** Not ours any more: what we put there has to go, these addresses among it. */
  | { kind: 'release'; addresses: IpAddress[] }
  /** Write nothing: a pool is being looked at. */
  | { kind: 'undecided' }
  | {
      kind: 'decided';
      allocation: Allocation | undefined;
      problem: Problem | undefined;
      conflict: Conflict | undefined;
    };

/** What the cluster remembers or knows besides pools and Services. */
export interface KnownAtLoad {
  withheld?: readonly Withheld[];
  /** Freed before this process began. */
  cooling?: readonly { range: AddressRange; untilMs: number }[];
}

/** An address shown by two Services at once (written by hand, or by two controllers); the other one keeps it. */
export interface Conflict {
  address: IpAddress;
  owner: string;
}

interface Account {
  seen: Observation;
  /** Whether there is, or was when last seen, something of ours on it. */
  touched: boolean;
  /** Since when it has wanted an address, ms since the epoch. */
  wantsSinceMs: number;
  /** Every address that nobody else may get because of this Service. */
  held: IpAddress[];
  /** The one of `held` that its status should show. */
  desired: IpAddress | undefined;
  problem: Problem | undefined;
  undecided: boolean;
  conflict: Conflict | undefined;
}

export class Ledger {
  readonly #allocator: Allocator;
  readonly #waiting = new WaitingList();
  readonly #accounts = new Map<string, Account>();
  readonly #now: () => number;

  /** `now`: ms since the epoch. It only decides who has waited longer. */
  constructor(now: () => number) {
    this.#now = now;
    this.#allocator = new Allocator(now);
  }

  /** The first observation of everything: addresses in use are all adopted before any is given out. */
  load(pools: readonly AllocatorPool[], services: readonly Observation[], known: KnownAtLoad = {}): void {
    this.#allocator.setPools(pools, known.withheld);
    const byAge = [...services].sort(
      (a, b) => a.sinceMs - b.sinceMs || a.createdMs - b.createdMs || (a.key < b.key ? -1 : 1),
    );
    for (const seen of byAge) this.#adopt(this.#open(seen, seen.sinceMs));
    this.#allocator.restoreCooling(known.cooling ?? []);
    const changed = new Set<string>();
    for (const seen of byAge) this.#settle(seen.key, changed);
  }

  /** A Service was added or has changed. Returns the keys of all Services (this one included) to look at again. */
  observe(seen: Observation): Set<string> {
    const changed = new Set<string>([seen.key]);
    let account = this.#accounts.get(seen.key);
    if (account && account.seen.uid !== seen.uid) {
      this.#close(account, changed);
      account = undefined;
    }
    if (!account) {
      // Whoever comes while we look on has waited from now: finer than the API server's whole seconds.
      account = this.#open(seen, this.#now());
    } else {
      if (!account.seen.wish && seen.wish) account.wantsSinceMs = this.#now();
      // Somebody who replaces the whole status takes our condition away with it; the finalizer is still ours to remove.
      account.touched = seen.touched || (account.touched && seen.guarded);
      account.seen = seen;
    }
    this.#adopt(account);
    this.#settle(seen.key, changed);
    return changed;
  }

  /** A Service is gone. Returns the keys of those that got its addresses. */
  remove(key: string): Set<string> {
    const changed = new Set<string>();
    const account = this.#accounts.get(key);
    if (account) this.#close(account, changed);
    changed.delete(key);
    return changed;
  }

  /** The pools, or what is withheld from them, have changed. Returns the keys of all Services whose verdict may have. */
  setPools(pools: readonly AllocatorPool[], withheld?: readonly Withheld[]): Set<string> {
    this.#allocator.setPools(pools, withheld);
    const changed = new Set(this.#accounts.keys());
    for (const account of this.#accounts.values()) this.#adopt(account);
    for (const key of this.#waiting.keys()) this.#settle(key, changed);
    for (const key of this.#accounts.keys()) this.#settle(key, changed);
    return changed;
  }

  /** Ends cool-downs; to be called at wakeAtMs. Returns the keys of those that got an address by it. */
  wake(): Set<string> {
    const changed = new Set<string>();
    if (this.#allocator.wake()) for (const family of ['ipv4', 'ipv6'] as const) this.#serve(family, changed);
    return changed;
  }

  /** When an address may be free though nobody does anything, ms since the epoch. */
  get wakeAtMs(): number | undefined {
    return this.#allocator.wakeAtMs;
  }

  verdict(key: string): Verdict {
    const account = this.#accounts.get(key);
    if (!account || this.#isForeign(account)) return { kind: 'ignore' };
    const { seen, held, desired, problem, undecided, conflict } = account;
    if (!seen.wish) return account.touched ? { kind: 'release', addresses: held } : { kind: 'ignore' };
    if (undecided) return { kind: 'undecided' };
    const allocation = desired && { address: desired, pool: this.#allocator.poolOf(desired) };
    return { kind: 'decided', allocation, problem, conflict };
  }

  /** Read-only: who has what. */
  get allocator(): Omit<Allocator, 'adopt' | 'allocate' | 'release' | 'setPools'> {
    return this.#allocator;
  }

  /** Services that wait for an address. */
  get waiting(): number {
    return this.#waiting.size;
  }

  #open(seen: Observation, wantsSinceMs: number): Account {
    const account: Account = {
      seen,
      touched: seen.touched,
      wantsSinceMs,
      held: [],
      desired: undefined,
      problem: undefined,
      undecided: false,
      conflict: undefined,
    };
    this.#accounts.set(seen.key, account);
    return account;
  }

  #adopt(account: Account): void {
    const { seen } = account;
    account.conflict = undefined;
    for (const address of seen.shown) {
      if (isAmong(account.held, address)) continue;
      // What no pool has is kept only where we know that it was ours once.
      if (!seen.touched && !this.#allocator.isPooled(address)) continue;
      const fault = this.#allocator.adopt(seen.holder, address);
      if (fault) account.conflict = { address, owner: fault.by };
      else account.held.push(address);
    }
  }

  /** Another load balancer's: has an ingress, and none of it is in our pools. */
  #isForeign({ seen, held }: Account): boolean {
    return seen.maybeForeign && !seen.shown.some((address) => isAmong(held, address));
  }

  /** Brings the account to rest: gives it what it wants if that is possible, and frees what it has left. */
  #settle(key: string, changed: Set<string>): void {
    const account = this.#accounts.get(key)!;
    const { seen } = account;
    account.problem = undefined;
    account.undecided = false;
    if (!seen.wish || this.#isForeign(account)) {
      account.desired = undefined;
      this.#waiting.delete(key);
    } else {
      account.desired ??= account.held.find((address) => address.family === seen.wish!.family) ?? account.held[0];
      if (!this.#isContent(account)) this.#allocateOrWait(account);
      else this.#waiting.delete(key);
      account.problem ??= seen.refusal;
    }
    this.#freeLeft(account, changed);
  }

  #isContent({ seen, desired }: Account): boolean {
    if (!desired) return false;
    // A refused request never moves a Service away from what it has.
    if (seen.refusal) return true;
    if (this.#allocator.isReclaimed(desired)) return false;
    const { family, pool } = seen.wish!;
    return desired.family === family && (pool === undefined || pool === this.#allocator.poolOf(desired));
  }

  #allocateOrWait(account: Account): void {
    const { key, refusal } = account.seen;
    const wish = account.seen.wish!;
    if (refusal) {
      this.#waiting.delete(key);
      return;
    }
    const [allocation] = this.#allocate(account, wish.pool) ?? [];
    if (allocation) {
      this.#grant(account, allocation);
      return;
    }
    // One that has an address and wants another is no more urgent than a newcomer.
    this.#waiting.add(key, wish, account.desired ? this.#now() : account.wantsSinceMs);
    account.problem = explain(this.#allocator, wish, account.seen.holder);
    account.undecided = account.problem === undefined;
  }

  #allocate({ seen }: Account, pool: string | undefined): Allocation[] | undefined {
    return this.#allocator.allocate(seen.holder, { families: [seen.wish!.family], pool });
  }

  #grant(account: Account, { address }: Allocation): void {
    account.held.push(address);
    account.desired = address;
    account.problem = undefined;
    account.undecided = false;
    this.#waiting.delete(account.seen.key);
  }

  /** Rule 1: what is neither shown nor desired is free; then the longest-waiting ones get it. */
  #freeLeft(account: Account, changed: Set<string>): void {
    const { key, shown } = account.seen;
    const stays = (address: IpAddress) => isAmong(shown, address) || address === account.desired;
    const left = account.held.filter((address) => !stays(address));
    account.held = account.held.filter(stays);
    for (const address of left) this.#free(key, address, changed);
  }

  #close(account: Account, changed: Set<string>): void {
    const { key } = account.seen;
    this.#accounts.delete(key);
    this.#waiting.delete(key);
    for (const address of account.held) this.#free(key, address, changed);
  }

  #free(owner: string, address: IpAddress, changed: Set<string>): void {
    this.#allocator.release(owner, address);
    this.#serve(address.family, changed);
  }

  /** Gives what is free to those who have waited longest. */
  #serve(family: Family, changed: Set<string>): void {
    for (const pool of this.#allocator.pools()) {
      if (pool.mode !== 'open') continue;
      for (let key = this.#waiting.next(family, pool); key !== undefined; key = this.#waiting.next(family, pool)) {
        const account = this.#accounts.get(key)!;
        const [allocation] = this.#allocate(account, pool.name) ?? [];
        if (!allocation) break;
        this.#grant(account, allocation);
        changed.add(key);
        this.#freeLeft(account, changed);
      }
    }
  }
}

function isAmong(addresses: readonly IpAddress[], address: IpAddress): boolean {
  return addresses.some((each) => compareAddresses(each, address) === 0);
}

/** For messages. */
export function describeAllocation({ address, pool }: Allocation): string {
  return pool === undefined
    ? `${formatAddress(address)}, which no AddressPool has any more`
    : `${formatAddress(address)} from pool "${pool}"`;
}
