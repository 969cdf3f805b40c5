/**
 * Lists: the JSON of the objects, put together from the bytes that each of them has already; and pages (`limit` and
 * `continue`), which all show the state at the time of the first one.
 */
import { badRequest, expiredContinue } from './errors.js';
import { apiVersionOf, type ResourceType } from './resources.js';
import type { Entry } from './store.js';
import type { JsonObject } from './types.js';

/** One page, or the whole list. */
export interface Page {
  entries: readonly Entry[];
  /** Of the state that the list shows. */
  revision: number;
  /** Set when there is more. */
  continue?: string;
  remaining?: number;
}

interface Rest {
  entries: readonly Entry[];
  revision: number;
  collection: string;
}

/** So many lists may be read page by page at the same time; the oldest is forgotten first (its reader gets 410). */
const OPEN_LISTS = 64;

/** What the next pages of lists that are being read will show. */
export class Pager {
  readonly #open = new Map<string, Rest>();
  #next = 1;

  first(collection: string, entries: readonly Entry[], revision: number, limit: number | undefined): Page {
    return this.#cut({ entries, revision, collection }, limit);
  }

  /** @throws ApiError 410 when the rest of the list is no longer kept. */
  next(collection: string, token: string, limit: number | undefined): Page {
    const rest = this.#open.get(token);
    if (!rest) {
      if (!/^[A-Za-z0-9_-]+$/.test(token)) throw badRequest('continue key is not valid: it is no token of this server');
      throw expiredContinue();
    }
    if (rest.collection !== collection) throw badRequest('continue key is not valid: it belongs to another resource');
    return this.#cut(rest, limit);
  }

  /** Forgets every list that is being read. */
  compact(): void {
    this.#open.clear();
  }

  #cut(rest: Rest, limit: number | undefined): Page {
    const { entries, revision } = rest;
    if (limit === undefined || limit === 0 || entries.length <= limit) return { entries, revision };
    const token = Buffer.from(`${revision}.${this.#next++}`).toString('base64url');
    this.#open.set(token, { ...rest, entries: entries.slice(limit) });
    if (this.#open.size > OPEN_LISTS) this.#open.delete(this.#open.keys().next().value!);
    return { entries: entries.slice(0, limit), revision, continue: token, remaining: entries.length - limit };
  }
}

export function listMetadata(page: Page): JsonObject {
  return {
    resourceVersion: String(page.revision),
    ...(page.continue === undefined ? {} : { continue: page.continue, remainingItemCount: page.remaining }),
  };
}

/** The bytes of a list. */
export function listJson(type: ResourceType, page: Page): Buffer {
  const head = `{"kind":${JSON.stringify(type.listKind)},"apiVersion":${JSON.stringify(apiVersionOf(type))},"metadata":${JSON.stringify(listMetadata(page))},"items":[`;
  const parts: Buffer[] = [Buffer.from(head)];
  page.entries.forEach((entry, i) => {
    if (i > 0) parts.push(COMMA);
    parts.push(type.conversion ? Buffer.from(JSON.stringify(type.conversion.fromStorage(entry.object))) : entry.json);
  });
  parts.push(END);
  return Buffer.concat(parts);
}

const COMMA = Buffer.from(',');
const END = Buffer.from(']}');
