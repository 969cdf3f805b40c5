/**
 * Which AddressPools are accepted. Pure.
 *
 * Precedence when pools want the same address: what is accepted already stays; then what was accepted before its last
 * edit keeps its former addresses; then the older pool, then the first by name. The one that does not get its way is told
 * the culprit's name, and is accepted by itself when the culprit lets go. The same goes for the cluster's own networks: a
 * pool does not get new addresses of theirs, and keeps what it has (of which nothing more is given out).
 */

import {
  type AddressPool,
  type AddressRange,
  formatRange,
  type ParsedPool,
  parseAddressPool,
  reasons,
  subtractRanges,
} from '@fairlead/api';
import { RangeIndex } from '../allocator/range-index.js';
import type { Problem } from '../services/service-observation.js';
import { networkWithin, type Occupant } from './pool-occupants.js';
import { byAge, isAccepted, spaceInEffect } from './pool-view.js';

export type Judgement = { ok: true; pool: ParsedPool } | ({ ok: false } & Problem);

/** A pool whose spec has yet to be weighed against the others'. */
interface Candidate {
  pool: ParsedPool;
  before: readonly AddressRange[];
}

/** What each pool has for certain. */
class Reservations {
  readonly #ranges = new Map<string, readonly AddressRange[]>();
  readonly #index = new RangeIndex<{ name: string; ranges: readonly AddressRange[] }>();
  readonly #age: ReadonlyMap<string, number>;

  /** `age`: by name, the oldest is 0. */
  constructor(age: ReadonlyMap<string, number>) {
    this.#age = age;
  }

  /** In place of what it had. */
  set(name: string, ranges: readonly AddressRange[]): void {
    this.#ranges.set(name, ranges);
    for (const range of ranges) this.#index.add(range, { name, ranges });
  }

  /** Says which addresses another pool has already: the oldest that does. Undefined when there is none. */
  overlapWith(pool: ParsedPool): string | undefined {
    let found: { age: number; name: string; index: number; shared: AddressRange } | undefined;
    for (const [index, mine] of pool.ranges.entries()) {
      for (const { owner, shared } of this.#index.overlaps(mine)) {
        if (owner.name === pool.name || this.#ranges.get(owner.name) !== owner.ranges) continue;
        const age = this.#age.get(owner.name)!;
        if (found && (found.age < age || (found.age === age && found.index <= index))) continue;
        found = { age, name: owner.name, index, shared };
      }
    }
    return (
      found &&
      `${pool.addresses[found.index]} overlaps AddressPool "${found.name}", which has ${formatRange(found.shared)} already; ` +
        'take these addresses out of spec.addresses here or there'
    );
  }
}

/** For each pool whether its spec is accepted. */
export function judgePools(pools: readonly AddressPool[], occupants: readonly Occupant[] = []): Map<string, Judgement> {
  const judgements = new Map<string, Judgement>();
  const sorted = [...pools].sort(byAge);
  const reserved = new Reservations(new Map(sorted.map(({ metadata }, age) => [metadata.name, age])));
  const open: Candidate[] = [];
  for (const object of sorted) {
    const { name } = object.metadata;
    const parsed = parseAddressPool(object);
    const before = spaceInEffect(object).ranges;
    if (object.metadata.deletionTimestamp) {
      // Reserves nothing: a new pool with its addresses takes over those in use, and lets this one go.
      judgements.set(name, { ok: false, reason: reasons.deleting, message: 'being deleted' });
    } else if (!parsed.ok) {
      judgements.set(name, parsed);
      reserved.set(name, before);
    } else if (isAccepted(object) && !reserved.overlapWith(parsed.pool)) {
      judgements.set(name, parsed);
      reserved.set(name, parsed.pool.ranges);
    } else {
      open.push({ pool: parsed.pool, before });
    }
  }
  for (const { pool, before } of open) reserved.set(pool.name, before);
  for (const { pool, before } of open) {
    const problem = networkProblem(pool, before, occupants);
    if (problem) judgements.set(pool.name, { ok: false, ...problem });
  }
  weigh(
    open.filter(({ pool }) => !judgements.has(pool.name)),
    judgements,
    reserved,
  );
  return judgements;
}

function weigh(open: readonly Candidate[], judgements: Map<string, Judgement>, reserved: Reservations): void {
  // One that shrinks makes room for another: again until nothing changes.
  for (let changed = true; changed; ) {
    changed = false;
    for (const { pool } of open) {
      if (judgements.has(pool.name) || reserved.overlapWith(pool)) continue;
      judgements.set(pool.name, { ok: true, pool });
      reserved.set(pool.name, pool.ranges);
      changed = true;
    }
  }
  for (const { pool } of open) {
    if (judgements.has(pool.name)) continue;
    judgements.set(pool.name, { ok: false, reason: reasons.overlap, message: reserved.overlapWith(pool)! });
  }
}

function networkProblem(
  pool: ParsedPool,
  before: readonly AddressRange[],
  occupants: readonly Occupant[],
): Problem | undefined {
  const found = networkWithin(subtractRanges(pool.ranges, before), occupants);
  if (!found) return undefined;
  const { occupant, mine, shared } = found;
  return {
    reason: occupant.kind === 'pods' ? reasons.overlapsPods : reasons.overlapsServices,
    message:
      `${formatRange(mine)} overlaps ${occupant.name}, which has ${formatRange(shared)}; ` +
      'give the pool addresses of the LAN that nobody else uses',
  };
}
