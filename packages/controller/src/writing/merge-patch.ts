/** JSON merge patches (RFC 7386): the one that turns one object into another, and whether one was applied. Pure. */

/** Undefined when they are equal. Arrays are replaced as a whole, as merge patches do. */
export function mergeDiff(before: object, after: object): Record<string, unknown> | undefined {
  const patch: Record<string, unknown> = {};
  const [old, wanted] = [before as Record<string, unknown>, after as Record<string, unknown>];
  for (const key of Object.keys(old)) if (wanted[key] === undefined) patch[key] = null;
  for (const [key, value] of Object.entries(wanted)) {
    const known = old[key];
    if (value === undefined || sameJson(known, value)) continue;
    patch[key] = isPlain(known) && isPlain(value) ? mergeDiff(known, value) : value;
  }
  return Object.keys(patch).length > 0 ? patch : undefined;
}

/**
 * Whether the answer to a merge patch that names the version it is for is the object as it was with that patch applied, and nothing
 * else but a new version: nobody, such as a webhook, has changed more, and nothing was ignored.
 */
export function isPatched(before: unknown, patch: unknown, answer: unknown): boolean {
  if (!isPlain(patch)) return sameJson(patch ?? undefined, answer);
  const [old, change, now] = [isPlain(before) ? before : {}, patch, answer] as Record<string, unknown>[];
  if (!isPlain(now)) return false;
  for (const key in change) {
    if (key !== VERSION && !isPatched(old![key], change[key], now[key])) return false;
  }
  for (const key in old) if (!(key in change!) && !sameJson(old[key], now[key])) return false;
  for (const key in now) if (!(key in change!) && !(key in old!) && now[key] !== undefined) return false;
  return true;
}

const VERSION = 'resourceVersion';

/** Whether two JSON values say the same; the order of keys does not matter, and what is undefined is not there. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) {
    if (a.length !== b.length) return false;
    for (let index = 0; index < a.length; index++) if (!sameJson(a[index], b[index])) return false;
    return true;
  }
  if (!isPlain(a) || !isPlain(b)) return false;
  const [one, other] = [a, b] as Record<string, unknown>[];
  for (const key in one) if (!sameJson(one[key], other![key])) return false;
  for (const key in other) if (other[key] !== undefined && one![key] === undefined) return false;
  return true;
}

function isPlain(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
