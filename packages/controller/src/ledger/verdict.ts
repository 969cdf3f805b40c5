/** What should become of a Service's status, and the words for it. Pure. */

import { formatAddress, type IpAddress } from '@fairlead/api';
import type { Allocation, Allocator, SharingFault } from '../allocator/allocator.js';
import type { Problem } from '../services/service-observation.js';
import { explain } from './explain.js';
import { type Account, isForeign } from './ledger-account.js';
import type { WaitingList } from './waiting-list.js';

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

/** Undefined: a Service that is not known. */
export function verdictOf(account: Account | undefined, allocator: Allocator, waiting: WaitingList): Verdict {
  if (!account || isForeign(account)) return { kind: 'ignore' };
  const { seen, held, desired, kept, missing, conflict } = account;
  const { request } = seen;
  if (!request) return account.touched ? { kind: 'release', addresses: held } : { kind: 'ignore' };
  const allocations: Allocation[] = [];
  for (const address of desired) allocations.push({ address, pool: allocator.poolOf(address) });
  const decided = { kind: 'decided' as const, allocations, problem: undefined, note: undefined, conflict };
  if (!request.ok) {
    return { ...decided, problem: { reason: request.reason, message: request.message } };
  }
  if (missing.length === 0) return decided;
  const why = explain(allocator, seen.holder, { ...request.request, families: missing }, waiting);
  if (request.request.need === 'any' && kept.length > 0) return { ...decided, note: why?.message };
  return why ? { ...decided, problem: why } : { kind: 'undecided' };
}

/** For messages. */
export function describeAllocations(allocations: readonly Allocation[]): string {
  let text = '';
  let last: Allocation | undefined;
  // The pool's name behind the last of those that are of the same one.
  for (const each of allocations) {
    if (last) text += each.pool === last.pool ? ' and ' : `${poolText(last)} and `;
    text += formatAddress(each.address);
    last = each;
  }
  return last ? text + poolText(last) : '';
}

function poolText({ pool }: Allocation): string {
  return pool === undefined ? ', which no AddressPool has any more' : ` from pool "${pool}"`;
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
