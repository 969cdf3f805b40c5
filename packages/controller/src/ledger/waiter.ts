/** In which queue a Service waits: with those whom the same addresses would serve. Pure. */

import { formatAddress, refusedBy } from '@fairlead/api';
import type { AllocatorPool, Holder, Wish } from '../allocator/allocator.js';
import type { Account } from './ledger-account.js';
import type { Waiter } from './waiting-list.js';

/** @param dedicated pools that are not for everybody */
export function waiterOf(account: Account, wish: Wish, dedicated: readonly AllocatorPool[], now: () => number): Waiter {
  const { seen, wantsSinceMs, desired, missing } = account;
  const { key, holder } = seen;
  const { pool, addresses = [] } = wish;
  const pending = desired.length === 0;
  const kind = [
    missing.join('+'),
    wish.need,
    pool ?? '*',
    addresses.map(formatAddress).join('+'),
    admitting(dedicated, holder),
    // Its ports are its own, and so is what it may share.
    holder.sharing ? key : '',
  ].join(' ');
  // One that has an address and wants another is no more urgent than a newcomer.
  return { key, kind, pool, families: missing, addresses, sinceMs: pending ? wantsSinceMs : now(), pending };
}

/** Of the pools that are kept for some, those that are for the holder. */
function admitting(dedicated: readonly AllocatorPool[], holder: Holder): string {
  if (dedicated.length === 0) return '';
  return dedicated
    .filter((pool) => !refusedBy(pool, holder))
    .map(({ name }) => name)
    .join('+');
}
