/**
 * The ledger: which Service has, leaves or waits for which address. It is fed with what the API server shows and says
 * which Services have to be written; it never writes itself.
 *
 *   observe(Service) ──▶ adopt what its status shows ──▶ has what it wants? ──no──▶ allocate, else wait
 *                                                              │yes
 *   verdict(key) ◀── what its status should say ◀──────────────┘
 *
 * Two rules make it safe:
 * 1. An address is held by a Service for as long as its status is *seen* to show it, should show it, or may come to show
 *    it by a write that is on its way. So an address that a Service has to give up is free for the next one only after the
 *    API server has shown that it is gone.
 * 2. Nothing but what the API server shows is needed to rebuild the ledger: a restart adopts all shown addresses first
 *    (load) and allocates after that.
 */

import { type IpAddress, isDedicated } from '@fairlead/api';
import {
  type Allocation,
  Allocator,
  type AllocatorPool,
  type CoolingAddress,
  type Wish,
  type Withheld,
} from '../allocator/allocator.js';
import type { PoolUsage } from '../pools/pool-status.js';
import { type Observation, timeOf, wishOf } from '../services/service-observation.js';
import {
  type Account,
  confirmSent,
  departing,
  isAmong,
  isForeign,
  noteSent,
  ofFamily,
  openAccount,
  presentOf,
  stays,
} from './ledger-account.js';
import { type Verdict, verdictOf } from './verdict.js';
import { waiterOf } from './waiter.js';
import { WaitingList } from './waiting-list.js';

/** What the cluster remembers or knows besides pools and Services. */
export interface KnownAtLoad {
  withheld?: readonly Withheld[];
  /** Freed before this process began. */
  cooling?: Parameters<Allocator['restoreCooling']>[0];
}

/** An address that a Service gives up. */
export interface Leaving {
  address: IpAddress;
  pool: string;
  /** For how long nobody else is to have it. */
  coolDownMs: number;
}

export class Ledger {
  readonly #allocator: Allocator;
  readonly #waiting = new WaitingList();
  readonly #accounts = new Map<string, Account>();
  readonly #now: () => number;
  /** Whether something has become free, or open to be shared, since those who wait were last looked at. */
  #stirred = false;
  /** Those who wait for an address about which there is something else to say now. */
  readonly #uninformed = new Set<string>();
  /** Pools that are not for everybody. */
  #dedicated: AllocatorPool[] = [];
  /** Those who show what they are not to have any longer. */
  readonly #leavers = new Set<string>();
  readonly #cooled: Leaving[] = [];
  /** Use of addresses as pools report it. What is about to cool down is reported before it is free. */
  readonly usage: PoolUsage = {
    coolingIn: (pool) => [...this.#allocator.coolingIn(pool), ...this.#leavingFrom(pool)],
    holdersOf: (address) => this.#allocator.holdersOf(address),
    homedIn: (pool) => this.#allocator.homedIn(pool),
    outside: (pool, space) => this.#allocator.outside(pool, space),
    pool: (pool) => this.#allocator.pool(pool),
    usage: (pool, family) => this.#allocator.usage(pool, family),
  };

  /** `now`: ms since the epoch. It decides who has waited longer, and ends cool-downs. */
  constructor(now: () => number) {
    this.#now = now;
    this.#allocator = new Allocator(now);
  }

  /** The first observation of everything: addresses in use are all adopted before any is given out. */
  load(pools: readonly AllocatorPool[], services: readonly Observation[], known: KnownAtLoad = {}): void {
    this.adopt(pools, services, known);
    for (const key of this.#accounts.keys()) this.#settle(key);
    this.#serve(new Set());
  }

  /** The first half of `load`: who has what. Nothing is given out, nobody waits, and verdicts mean nothing yet. */
  adopt(pools: readonly AllocatorPool[], services: readonly Observation[], known: KnownAtLoad = {}): void {
    this.#setPools(pools, known.withheld);
    const aged = services.map((seen) => ({ seen, sinceMs: timeOf(seen.since), createdMs: timeOf(seen.created) }));
    aged.sort((a, b) => a.sinceMs - b.sinceMs || a.createdMs - b.createdMs || (a.seen.key < b.seen.key ? -1 : 1));
    const accounts = aged.map(({ seen, sinceMs }) => this.#open(seen, sinceMs));
    // Those that show one address did share it: who does not ask for that any more is the one that has changed.
    for (const account of accounts) if (account.seen.holder.sharing) this.#adopt(account);
    for (const account of accounts) if (!account.seen.holder.sharing) this.#adopt(account);
    this.#allocator.restoreCooling(known.cooling ?? []);
  }

  /** A Service was added or has changed. Returns the keys of all Services (this one included) to look at again. */
  observe(seen: Observation): Set<string> {
    const changed = new Set<string>([seen.key]);
    let account = this.#accounts.get(seen.key);
    if (account && account.seen.uid !== seen.uid) {
      this.#close(account);
      account = undefined;
    }
    if (!account) {
      // Whoever comes while we look on has waited from now: finer than the API server's whole seconds.
      account = this.#open(seen, this.#now());
    } else {
      if (!account.seen.request && seen.request) account.wantsSinceMs = this.#now();
      // Somebody who replaces the whole status takes our condition away with it; the finalizer is still ours to remove.
      account.touched = seen.touched || (account.touched && seen.guarded);
      // What it says of sharing may let others in.
      if (account.seen.holder.sharing || seen.holder.sharing) {
        this.#stirred = true;
        for (const address of account.held) this.#tellAskers(address);
      }
      account.seen = seen;
      if (account.sent?.version !== seen.version) account.sent = undefined;
    }
    this.#adopt(account);
    this.#settle(seen.key);
    this.#serve(changed);
    return changed;
  }

  /** The present verdict is being written. */
  sending(key: string): void {
    const account = this.#accounts.get(key);
    if (account) noteSent(account);
  }

  /**
   * The server has answered with the Service as it was when `sending` was called, but for what was written: the verdict of
   * then. Does what `observe` would do with the answer, in less, as long as nothing has happened since that could make the
   * answer mean more. Whether it has: else it has done nothing, and the answer is to be observed.
   */
  confirm(key: string, answer: Pick<Observation, 'version' | 'since'>): boolean {
    const account = this.#accounts.get(key);
    return account !== undefined && confirmSent(account, answer);
  }

  /** The Service shows what it should, as far as it has been seen: there is nothing to write. */
  isConfirmed(key: string): boolean {
    const account = this.#accounts.get(key);
    return account !== undefined && account.confirmed === account.desired;
  }

  /** What has begun to cool down since this was asked last. */
  takeCooled(): Leaving[] {
    return this.#cooled.splice(0);
  }

  /** What the Service shows, will not show after its next write, and has to cool down then. */
  leaving(key: string): Leaving[] {
    const account = this.#leavers.has(key) ? this.#accounts.get(key) : undefined;
    if (!account) return [];
    return departing(account).flatMap((address) => {
      const pool = this.#allocator.poolOf(address);
      const coolDownMs = (pool !== undefined && this.#allocator.pool(pool)?.coolDownMs) || 0;
      const isShared = this.#allocator.holdersOf(address).length > 1;
      return pool === undefined || coolDownMs === 0 || isShared ? [] : [{ address, pool, coolDownMs }];
    });
  }

  /** A Service is gone. Returns the keys of those that got its addresses. */
  remove(key: string): Set<string> {
    const changed = new Set<string>();
    const account = this.#accounts.get(key);
    if (account) this.#close(account);
    this.#serve(changed);
    return changed;
  }

  /**
   * The pools have changed, or what of them is used by something else. Returns the keys of all Services whose verdict may
   * have changed.
   */
  setPools(pools: readonly AllocatorPool[], withheld?: readonly Withheld[]): Set<string> {
    this.#setPools(pools, withheld);
    const changed = new Set(this.#accounts.keys());
    for (const account of this.#accounts.values()) this.#adopt(account);
    // Who waits first, in the order of waiting; then who has something, and may have to move.
    const waiters = new Set(this.#waiting.keys());
    for (const key of waiters) this.#settle(key);
    for (const key of this.#accounts.keys()) if (!waiters.has(key)) this.#settle(key);
    this.#serve(changed);
    return changed;
  }

  /** When `wake` has something to do, ms since the epoch; undefined: nothing cools down. */
  get wakeAtMs(): number | undefined {
    return this.#allocator.wakeAtMs;
  }

  /** Ends cool-downs whose time is over. Returns the keys of those that got an address by that. */
  wake(): Set<string> {
    const changed = new Set<string>();
    if (this.#allocator.wake()) this.#stirred = true;
    this.#serve(changed);
    return changed;
  }

  verdict(key: string): Verdict {
    return verdictOf(this.#accounts.get(key), this.#allocator, this.#waiting);
  }

  /** Read-only: who has what. */
  get allocator(): Omit<Allocator, 'adopt' | 'allocate' | 'release' | 'setPools' | 'wake'> {
    return this.#allocator;
  }

  /** Services that wait for an address, or for another one than they have. */
  get waiting(): number {
    return this.#waiting.size;
  }

  #setPools(pools: readonly AllocatorPool[], withheld: readonly Withheld[] | undefined): void {
    this.#allocator.setPools(pools, withheld);
    this.#dedicated = pools.filter(isDedicated);
  }

  #open(seen: Observation, wantsSinceMs: number): Account {
    const account = openAccount(seen, wantsSinceMs);
    this.#accounts.set(seen.key, account);
    return account;
  }

  #adopt(account: Account): void {
    const { seen, held } = account;
    account.conflict = undefined;
    account.faulty = [];
    for (const address of held) {
      const fault = this.#allocator.adopt(seen.holder, address);
      if (!fault) continue;
      account.faulty.push(address);
      account.conflict = { address, fault };
    }
    for (const address of seen.shown) {
      if (isAmong(held, address)) continue;
      // What no pool has is kept only where we know that it was ours once; a Service that is not ours any more may show its new controller's.
      const isKnown = seen.request ? seen.touched : this.#allocator.hasHome(address);
      if (!isKnown && !this.#allocator.isPooled(address)) continue;
      const fault = this.#allocator.adopt(seen.holder, address);
      if (fault) {
        account.conflict = { address, fault };
      } else {
        held.push(address);
        this.#tellAskers(address);
      }
    }
  }

  /**
   * Brings the account to rest: gives it what it wants as far as that is possible, and frees what it has left. Whether it
   * got something.
   */
  #settle(key: string): boolean {
    const account = this.#accounts.get(key)!;
    const { seen } = account;
    let granted = false;
    if (!seen.request || isForeign(account)) {
      account.desired = [];
      this.#waiting.delete(key);
    } else {
      const wish = wishOf(seen);
      if (wish) {
        granted = this.#satisfy(account, wish);
      } else {
        // A request that cannot be read never moves a Service away from what it has.
        account.desired = presentOf(account);
        this.#waiting.delete(key);
      }
    }
    this.#freeLeft(account);
    return granted;
  }

  #satisfy(account: Account, wish: Wish): boolean {
    const { key } = account.seen;
    const present = presentOf(account);
    this.#compare(account, present, wish);
    const { kept, missing } = account;
    if (missing.length === 0) {
      account.desired = kept;
      this.#waiting.delete(key);
      return false;
    }
    const got = this.#allocate(account, { ...wish, families: missing }, kept) ?? [];
    for (const { address } of got) {
      account.held.push(address);
      kept.push(address);
      this.#tellAskers(address);
    }
    account.missing = missing.filter((family) => !ofFamily(kept, family));
    // What it has though it wants another one stays until there is another one.
    const having = got.length > 0 ? kept : [...kept, ...present];
    const desired: IpAddress[] = [];
    for (const family of wish.families) {
      const address = ofFamily(having, family);
      if (address) desired.push(address);
    }
    account.desired = desired.length > 0 ? desired : present;
    if (account.missing.length > 0) this.#waiting.add(waiterOf(account, wish, this.#dedicated, this.#now));
    else this.#waiting.delete(key);
    return got.length > 0;
  }

  /** Which of the addresses that it has are as wished, and which families lack one. */
  #compare(account: Account, present: readonly IpAddress[], wish: Wish): void {
    account.kept = [];
    account.missing = [];
    for (const family of wish.families) {
      const address = ofFamily(present, family);
      if (address && this.#suits(address, wish)) account.kept.push(address);
      else account.missing.push(family);
    }
  }

  #suits(address: IpAddress, { pool, addresses = [] }: Wish): boolean {
    const asked = ofFamily(addresses, address.family);
    if (asked && asked.value !== address.value) return false;
    if (pool !== undefined && pool !== this.#allocator.poolOf(address)) return false;
    return !this.#allocator.isReclaimed(address);
  }

  /** Addresses of one pool if possible: of the one that the other family's address is from. */
  #allocate({ seen: { holder } }: Account, wish: Wish, kept: readonly IpAddress[]): Allocation[] | undefined {
    const pool = kept[0] && this.#allocator.poolOf(kept[0]);
    if (wish.pool === undefined && pool !== undefined && this.#allocator.pool(pool)?.autoAssign) {
      const beside = this.#allocator.allocate(holder, { ...wish, pool });
      if (beside) return beside;
    }
    return this.#allocator.allocate(holder, wish);
  }

  /** Rule 1: what is neither shown nor desired, nor on its way to be shown, is free. */
  #freeLeft(account: Account): void {
    const { key } = account.seen;
    if (account.held.length > 0 && departing(account).length > 0) this.#leavers.add(key);
    else this.#leavers.delete(key);
    if (account.held.length === 0) return;
    const left = account.held.filter((address) => !stays(account, address));
    if (left.length === 0) return;
    account.held = account.held.filter((address) => stays(account, address));
    for (const address of left) this.#free(key, address);
  }

  #close({ seen: { key }, held }: Account): void {
    this.#accounts.delete(key);
    this.#waiting.delete(key);
    this.#leavers.delete(key);
    for (const address of held) this.#free(key, address);
  }

  #free(key: string, address: IpAddress): void {
    const pool = this.#allocator.release(key, address);
    const coolDownMs = (pool !== undefined && this.#allocator.pool(pool)?.coolDownMs) || 0;
    if (pool !== undefined && coolDownMs > 0 && this.#allocator.holdersOf(address).length === 0) {
      this.#cooled.push({ address, pool, coolDownMs });
    }
    this.#stirred = true;
    this.#tellAskers(address);
  }

  #leavingFrom(pool: string): CoolingAddress[] {
    const leaving = [...this.#leavers].flatMap((key) => this.leaving(key));
    return leaving
      .filter((each) => each.pool === pool)
      .map(({ address, coolDownMs }) => ({ address, untilMs: this.#now() + coolDownMs }));
  }

  /** What has become free goes to those who have waited longest. */
  #serve(changed: Set<string>): void {
    while (this.#stirred) {
      this.#stirred = false;
      for (const key of this.#waiting.heads()) {
        if (!this.#settle(key)) continue;
        changed.add(key);
        this.#stirred = true;
      }
    }
    for (const key of this.#uninformed) changed.add(key);
    this.#uninformed.clear();
  }

  /** Who has the address, and with whom it may be shared, has changed: those who wait for it are to hear of it. */
  #tellAskers(address: IpAddress): void {
    for (const key of this.#waiting.askersOf(address)) this.#uninformed.add(key);
  }
}
