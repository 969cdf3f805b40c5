/**
 * What the ledger keeps of one Service: what it has, what it should show, and what is on its way. Pure; who else has what is the
 * allocator's to know.
 */

import type { Family, IpAddress } from '@fairlead/api';
import type { Observation } from '../services/service-observation.js';
import type { Conflict } from './verdict.js';

export interface Account {
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
  /** `desired` as it was when it was sent last: the same list (not an equal one) for as long as the account was not settled anew. */
  sentFor: IpAddress[] | undefined;
  /** So for the answer that has confirmed it. */
  confirmed: IpAddress[] | undefined;
}

/**
 * A Service that has nothing yet.
 * @param wantsSinceMs since when it has wanted an address, ms since the epoch
 */
export function openAccount(seen: Observation, wantsSinceMs: number): Account {
  return {
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
}

/** What it should show is being written. */
export function noteSent(account: Account): void {
  const { seen, sent, desired } = account;
  const addresses = sent?.version === seen.version ? [...sent.addresses] : [];
  for (const each of desired) if (!isAmong(addresses, each)) addresses.push(each);
  account.sent = { version: seen.version, addresses };
  account.sentFor = desired;
}

/** See Ledger.confirm. */
export function confirmSent(account: Account, { version, since }: Pick<Observation, 'version' | 'since'>): boolean {
  const { seen, sent, desired } = account;
  // Whatever has happened since has settled the account anew, or shown another version.
  if (account.sentFor !== desired || sent?.version !== seen.version || version === seen.version) return false;
  if (desired.length === 0 || !isPlain(account)) return false;
  // It has our condition and our finalizer now.
  account.seen = { ...seen, version, since, shown: desired, touched: true, guarded: true, maybeForeign: false };
  account.touched = true;
  account.sent = undefined;
  account.confirmed = desired;
  return true;
}

/** Another load balancer's: has an ingress, and none of it is in our pools. */
export function isForeign({ seen, held }: Account): boolean {
  return seen.maybeForeign && !seen.shown.some((address) => isAmong(held, address));
}

/** What the account has now, at most one address per family; what it cannot keep is left out. */
export function presentOf({ desired, held, seen, faulty }: Account): IpAddress[] {
  const present: IpAddress[] = [];
  for (const address of desired) if (!isAmong(faulty, address)) addUnlessFamily(present, address);
  for (const address of seen.shown) {
    if (isAmong(held, address) && !isAmong(faulty, address)) addUnlessFamily(present, address);
  }
  return present;
}

/** What it shows, and will not show any longer after its next write. */
export function departing({ held, seen, desired }: Account): IpAddress[] {
  return held.filter((address) => isAmong(seen.shown, address) && !isAmong(desired, address));
}

/** Whether what it holds stays its own: rule 1 of the ledger. */
export function stays({ seen, desired, sent }: Account, address: IpAddress): boolean {
  return isAmong(seen.shown, address) || isAmong(desired, address) || isAmong(sent?.addresses ?? [], address);
}

/** Has just what it asks for, which is its own, and nothing is said against it. */
function isPlain({ seen, held, faulty, desired, missing, conflict }: Account): boolean {
  if (!seen.request?.ok || seen.holder.sharing) return false;
  return missing.length === 0 && held.length === desired.length && faulty.length === 0 && conflict === undefined;
}

// These three run several times for every change of every Service: plain loops, which need no closure and little of the compiler.
// So do what makes lists here and in verdicts and plans: those that `map` makes are of another kind (HOLEY_ELEMENTS) once V8 has optimized
// it, and so is what `flatMap` makes, for which it throws away whatever it has optimized for the kind known before.

export function isAmong(addresses: readonly IpAddress[], { family, value }: IpAddress): boolean {
  for (const each of addresses) if (each.family === family && each.value === value) return true;
  return false;
}

export function ofFamily(addresses: readonly IpAddress[], family: Family): IpAddress | undefined {
  for (const each of addresses) if (each.family === family) return each;
  return undefined;
}

function addUnlessFamily(addresses: IpAddress[], address: IpAddress): void {
  if (!ofFamily(addresses, address.family)) addresses.push(address);
}
