/**
 * The pool as it has to be served: what the controller has put into status.inEffect, and the spec itself as long as no
 * controller has looked at the pool.
 */

import type { AddressRange } from '../addresses/range.js';
import { mergeRanges, parseRange } from '../addresses/range.js';
import { type Announcement, parseAnnouncement } from './parse-announcement.js';
import { assemblePool, type ParsedPool, parseAddressPool, useOf } from './parse-pool.js';
import { asFields, orDefaults } from './refusal.js';

/** As speakers have to serve it, addresses that drain included. Undefined when there is nothing to serve. */
export function poolInEffect(object: unknown): ParsedPool | undefined {
  const fields = asFields(object) ?? {};
  const inEffect = asFields(asFields(fields.status)?.inEffect);
  if (!inEffect) {
    const parsed = parseAddressPool(object);
    return parsed.ok ? parsed.pool : undefined;
  }
  const ranges = mergeRanges([...readRanges(inEffect.addresses), ...readRanges(inEffect.draining)]);
  const metadata = asFields(fields.metadata) ?? {};
  if (ranges.length === 0 || typeof metadata.name !== 'string') return undefined;
  return assemblePool(metadata, {
    ranges,
    // Some of those that drain may be of that kind.
    avoidBuggyAddresses: false,
    ...useOf(object),
    ...announcementInEffect(inEffect),
  });
}

/** What status.inEffect says of announcing. */
export function announcementInEffect(inEffect: unknown): Announcement {
  return orDefaults(parseAnnouncement, asFields(inEffect) ?? {});
}

/** Ranges as the controller wrote them into a status. What cannot be read (edited by hand) is left out. */
export function readRanges(texts: unknown): AddressRange[] {
  if (!Array.isArray(texts)) return [];
  return texts.flatMap((text) => {
    try {
      return [parseRange(String(text))];
    } catch {
      return [];
    }
  });
}
