/**
 * From the AddressPool object to what can be computed with. The API server checks the same rules as far as a schema can;
 * the texts here are for those who have an older CRD, and for what no schema can express (ranges, overlaps).
 */

import { formatRange } from '../addresses/range.js';
import type { LabelSelector } from '../label-selector.js';
import {
  DEFAULT_LRU_COOL_DOWN_SECONDS,
  MAX_COOL_DOWN_SECONDS,
  MAX_LIST_ENTRIES,
  MAX_POOL_NAME_LENGTH,
  REUSE_POLICIES,
  type ReusePolicy,
  SHARING_SCOPES,
  type SharingScope,
} from './address-pool.js';
import type { AddressSpace } from './address-space.js';
import { parseSpace } from './parse-addresses.js';
import { type Announcement, parseAnnouncement } from './parse-announcement.js';
import type { PoolAudience } from './pool-admission.js';
import {
  asFields,
  booleanOf,
  choiceOf,
  type Fields,
  integerOf,
  invalid,
  orDefaults,
  Refusal,
  selectorOf,
  textsOf,
} from './refusal.js';

export interface ParsedPool extends AddressSpace, Announcement, PoolAudience {
  name: string;
  /** `ranges` as canonical text, in the same order. */
  addresses: string[];
  autoAssign: boolean;
  priority: number;
  namespaces: string[] | undefined;
  namespaceSelector: LabelSelector | undefined;
  serviceSelector: LabelSelector | undefined;
  sharing: SharingScope;
  reusePolicy: ReusePolicy;
  coolDownSeconds: number;
  reclaim: boolean;
  generation: number;
  /** metadata.creationTimestamp (RFC 3339, seconds), '' when not yet created. */
  createdAt: string;
}

export type ParsePoolResult = { ok: true; pool: ParsedPool } | { ok: false; reason: string; message: string };

/** Parses `spec`. A failure's message says what, where, why, and what to do. Never throws. */
export function parseAddressPool(object: unknown): ParsePoolResult {
  try {
    return { ok: true, pool: parse(asFields(object) ?? {}) };
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, reason: error.reason, message: error.message };
    throw error;
  }
}

function parse(object: Fields): ParsedPool {
  const metadata = asFields(object.metadata) ?? {};
  const spec = asFields(object.spec);
  if (typeof metadata.name !== 'string' || metadata.name === '') {
    throw invalid('metadata.name is missing; name the pool');
  }
  if (metadata.name.length > MAX_POOL_NAME_LENGTH) {
    throw invalid(
      `metadata.name has ${metadata.name.length} characters; virtual routers are labelled with it, ` +
        `so use a name of at most ${MAX_POOL_NAME_LENGTH}`,
    );
  }
  if (!spec) throw invalid('spec is missing; add spec.addresses with at least one CIDR or range');
  const use = parseUse(spec);
  const announcement = parseAnnouncement(spec);
  return assemblePool(metadata, { ...parseSpace(spec), ...use, ...announcement });
}

/** Everything of a pool but what its metadata says. */
export type PoolSettings = Omit<ParsedPool, 'name' | 'addresses' | 'generation' | 'createdAt'>;

/** Not exported from the package. `metadata.name` is known to be there. */
export function assemblePool(metadata: Fields, settings: PoolSettings): ParsedPool {
  return {
    ...settings,
    name: String(metadata.name),
    addresses: settings.ranges.map(formatRange),
    generation: typeof metadata.generation === 'number' ? metadata.generation : 0,
    createdAt: typeof metadata.creationTimestamp === 'string' ? metadata.creationTimestamp : '',
  };
}

export type PoolUse = Omit<PoolSettings, keyof AddressSpace | keyof Announcement>;

/** Who gets the pool's addresses, by its spec; the defaults where the spec cannot be read. */
export function useOf(object: unknown): PoolUse {
  return orDefaults(parseUse, asFields(asFields(object)?.spec) ?? {});
}

/** Throws Refusal. */
function parseUse(spec: Fields): PoolUse {
  const reusePolicy = choiceOf(spec, 'reusePolicy', REUSE_POLICIES, 'LowestFirst');
  const coolDown = reusePolicy === 'LeastRecentlyUsed' ? DEFAULT_LRU_COOL_DOWN_SECONDS : 0;
  return {
    autoAssign: booleanOf(spec, 'autoAssign', true),
    priority: integerOf(spec, 'priority', -(2 ** 31), 2 ** 31 - 1, 0),
    namespaces: textsOf(spec, 'namespaces', MAX_LIST_ENTRIES, '[shop, mail]'),
    namespaceSelector: selectorOf(spec, 'namespaceSelector'),
    serviceSelector: selectorOf(spec, 'serviceSelector'),
    sharing: choiceOf(spec, 'sharing', SHARING_SCOPES, 'SameNamespace'),
    reusePolicy,
    coolDownSeconds: integerOf(spec, 'coolDownSeconds', 0, MAX_COOL_DOWN_SECONDS, coolDown),
    reclaim: booleanOf(spec, 'reclaim', false),
  };
}
