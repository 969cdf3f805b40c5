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

import { type Family, formatAddress, type IpAddress, isDedicated, refusedBy } from '@fairlead/api';
import {
  type Allocation,
  Allocator,
  type AllocatorPool,
  type CoolingAddress,
  type Holder,
  type SharingFault,
  type Wish,
  type Withheld,
} from './allocator.js';
import { explain } from './explain.js';
import type { PoolUsage } from './pool-status.js';
import { type Observation, type Problem, timeOf, wishOf } from './service-observation.js';
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
      /** At most one per family, in the order of the Service's families. */
      allocations: Allocation[];
      problem: Problem | undefined;
      /** It has what it needs, but not all that it would like. */
      note: string | undefined;
      conflict: Conflict | undefined;
    };

/** An address that the Service cannot have together with another one that has it, too; the other one keeps it. */
export interface Conflict {
  address: IpAddress;
  fault: SharingFault;
}

/** What the cluster remembers or knows besides pools and Services. */
export interface KnownAtLoad {
  withheld?: readonly Withheld[];
  /** Freed before this process began. */
  cooling?: Parameters<Allocator['restoreCooling']>[0];
}

interface Account {
  seen: Observation;
  /** Whether there is, or was when last seen, something of ours on it. */
  touched: boolean;
  /** Since when it has wanted an address, ms since the epoch. */
  wantsSinceMs: number;
  /** Every address that nobody else may get because of this Service. */
  held: IpAddress[];
  /** Those of `held` that it cannot have any longer: it has changed what it says of sharing. */
  faulty: IpAddress[];
  /** Those of `held` that its status should show, at most one per family. */
  desired: IpAddress[];
  /** Those of `desired` that are as it wishes, and the families for which it has none. */
  kept: IpAddress[];
  missing: Family[];
  conflict: Conflict | undefined;
  /**
   * Of `held`, what a write that is on its way makes the status show. It may be applied for as long as the Service is as
   * it was when the write was planned, whatever has become of the answer, and of the Service's wishes.
   */
  sent: { version: string; addresses: IpAddress[] } | undefined;
  /** Of `desired`, which is a new list whenever the account is settled: the one that was last sent, or last confirmed. */
  sentFor: IpAddress[] | undefined;
  confirmed: IpAddress[] | undefined;
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
    for (const { seen, sinceMs } of aged) this.#adopt(this.#open(seen, sinceMs));
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
    if (!account) return;
    const { version } = account.seen;
    const before = account.sent?.version === version ? account.sent.addresses : [];
    account.sent = { version, addresses: [...before, ...account.desired.filter((each) => !isAmong(before, each))] };
    account.sentFor = account.desired;
  }

  /**
   * The server has answered with the Service as it was when `sending` was called, but for what was written: the verdict of
   * then. Does what `observe` would do with the answer, in less, as long as nothing has happened since that could make the
   * answer mean more. Whether it has: else it has done nothing, and the answer is to be observed.
   */
  confirm(key: string, { version, since }: Pick<Observation, 'version' | 'since'>): boolean {
    const account = this.#accounts.get(key);
    if (!account || account.sentFor !== account.desired || !isPlain(account)) return false;
    const { seen, desired } = account;
    if (account.sent?.version !== seen.version || version === seen.version || desired.length === 0) return false;
    // It has our condition and our finalizer now.
    account.seen = { ...seen, version, since, shown: desired, touched: true, guarded: true, maybeForeign: false };
    account.touched = true;
    account.sent = undefined;
    account.confirmed = desired;
    return true;
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
    const account = this.#accounts.get(key);
    if (!account || this.#isForeign(account)) return { kind: 'ignore' };
    const { seen, held, desired, kept, missing, conflict } = account;
    const { request } = seen;
    if (!request) return account.touched ? { kind: 'release', addresses: held } : { kind: 'ignore' };
    const allocations = desired.map((address) => ({ address, pool: this.#allocator.poolOf(address) }));
    const decided = { kind: 'decided' as const, allocations, problem: undefined, note: undefined, conflict };
    if (!request.ok) {
      return { ...decided, problem: { reason: request.reason, message: request.message } };
    }
    if (missing.length === 0) return decided;
    const why = explain(this.#allocator, seen.holder, { ...request.request, families: missing }, this.#waiting);
    if (request.request.need === 'any' && kept.length > 0) return { ...decided, note: why?.message };
    return why ? { ...decided, problem: why } : { kind: 'undecided' };
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
    const account: Account = {
      seen,
      touched: seen.touched,
      wantsSinceMs,
      held: [],
      faulty: [],
      desired: [],
      kept: [],
      missing: [],
      conflict: undefined,
      sent: undefined,
      sentFor: undefined,
      confirmed: undefined,
    };
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
      // What no pool has is kept only where we know that it was ours once.
      if (!seen.touched && !this.#allocator.isPooled(address)) continue;
      const fault = this.#allocator.adopt(seen.holder, address);
      if (fault) {
        account.conflict = { address, fault };
      } else {
        held.push(address);
        this.#tellAskers(address);
      }
    }
  }

  /** Another load balancer's: has an ingress, and none of it is in our pools. */
  #isForeign({ seen, held }: Account): boolean {
    return seen.maybeForeign && !seen.shown.some((address) => isAmong(held, address));
  }

  /**
   * Brings the account to rest: gives it what it wants as far as that is possible, and frees what it has left. Whether it
   * got something.
   */
  #settle(key: string): boolean {
    const account = this.#accounts.get(key)!;
    const { seen } = account;
    let granted = false;
    if (!seen.request || this.#isForeign(account)) {
      account.desired = [];
      this.#waiting.delete(key);
    } else {
      const wish = wishOf(seen);
      if (wish) {
        granted = this.#satisfy(account, wish);
      } else {
        // A request that cannot be read never moves a Service away from what it has.
        account.desired = this.#present(account);
        this.#waiting.delete(key);
      }
    }
    this.#freeLeft(account);
    return granted;
  }

  #satisfy(account: Account, wish: Wish): boolean {
    const { key } = account.seen;
    const present = this.#present(account);
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
    const desired = wish.families.flatMap((family) => ofFamily(having, family) ?? []);
    account.desired = desired.length > 0 ? desired : present;
    if (account.missing.length > 0) this.#wait(account, wish);
    else this.#waiting.delete(key);
    return got.length > 0;
  }

  /** What the account has now, at most one address per family; what it cannot keep is left out. */
  #present({ desired, held, seen, faulty }: Account): IpAddress[] {
    const present: IpAddress[] = [];
    for (const address of desired) if (!isAmong(faulty, address)) addUnlessFamily(present, address);
    for (const address of seen.shown) {
      if (isAmong(held, address) && !isAmong(faulty, address)) addUnlessFamily(present, address);
    }
    return present;
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

  #wait({ seen: { key, holder }, wantsSinceMs, desired, missing }: Account, wish: Wish): void {
    const pending = desired.length === 0;
    const kind = [
      missing.join('+'),
      wish.need,
      wish.pool ?? '*',
      (wish.addresses ?? []).map(formatAddress).join('+'),
      this.#admitting(holder),
      // Its ports are its own, and so is what it may share.
      holder.sharing ? key : '',
    ].join(' ');
    // One that has an address and wants another is no more urgent than a newcomer.
    const { pool } = wish;
    this.#waiting.add({
      key,
      kind,
      pool,
      families: missing,
      addresses: wish.addresses ?? [],
      sinceMs: pending ? wantsSinceMs : this.#now(),
      pending,
    });
  }

  /** The pools that are kept for some, the holder among them. */
  #admitting(holder: Holder): string {
    if (this.#dedicated.length === 0) return '';
    return this.#dedicated
      .filter((pool) => !refusedBy(pool, holder))
      .map(({ name }) => name)
      .join('+');
  }

  /** Rule 1: what is neither shown nor desired, nor on its way to be shown, is free. */
  #freeLeft(account: Account): void {
    const { key, shown } = account.seen;
    const { desired, sent } = account;
    const stays = (address: IpAddress) =>
      isAmong(shown, address) || isAmong(desired, address) || isAmong(sent?.addresses ?? [], address);
    if (account.held.length > 0 && departing(account).length > 0) this.#leavers.add(key);
    else this.#leavers.delete(key);
    if (account.held.length === 0) return;
    const left = account.held.filter((address) => !stays(address));
    if (left.length === 0) return;
    account.held = account.held.filter(stays);
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

// These three run several times for every change of every Service: plain loops, which need no closure and little of the compiler.

function isAmong(addresses: readonly IpAddress[], { family, value }: IpAddress): boolean {
  for (const each of addresses) if (each.family === family && each.value === value) return true;
  return false;
}

function ofFamily(addresses: readonly IpAddress[], family: Family): IpAddress | undefined {
  for (const each of addresses) if (each.family === family) return each;
  return undefined;
}

function addUnlessFamily(addresses: IpAddress[], address: IpAddress): void {
  if (!ofFamily(addresses, address.family)) addresses.push(address);
}

/** Has just what it asks for, which is its own, and nothing is said against it. */
function isPlain({ seen, held, faulty, desired, missing, conflict }: Account): boolean {
  if (!seen.request?.ok || seen.holder.sharing) return false;
  return missing.length === 0 && held.length === desired.length && faulty.length === 0 && conflict === undefined;
}

function departing({ held, seen, desired }: Account): IpAddress[] {
  return held.filter((address) => isAmong(seen.shown, address) && !isAmong(desired, address));
}

/** For messages. */
export function describeAllocations(allocations: readonly Allocation[]): string {
  const [first, ...others] = allocations;
  if (!first) return '';
  if (others.some(({ pool }) => pool !== first.pool)) return allocations.map((each) => describe([each])).join(' and ');
  return describe(allocations);
}

/** All of one pool. */
function describe(allocations: readonly Allocation[]): string {
  const [{ pool } = {}] = allocations;
  const from = pool === undefined ? ', which no AddressPool has any more' : ` from pool "${pool}"`;
  return allocations.map(({ address }) => formatAddress(address)).join(' and ') + from;
}

/** For messages: which two things disagree. */
export function describeConflict({ address, fault }: Conflict): string {
  const what = `${formatAddress(address)} in the status belongs to Service ${fault.by}, which keeps it`;
  const why = {
    unshared: '',
    key: ': the two have different sharing keys',
    backend: ': the two differ in externalTrafficPolicy or, where that is Local, in their selectors',
    port: `: both have port ${fault.port}`,
    namespace: ': they are in different namespaces',
    never: ': the pool allows no sharing',
  }[fault.why];
  return what + why;
}
