/** The JSON merge patch (RFC 7386) that turns one object into another. Pure. */

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

/** Whether two JSON values say the same; the order of keys does not matter. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => sameJson(item, b[index]));
  }
  return isPlain(a) && isPlain(b) ? mergeDiff(a, b) === undefined : a === b;
}

function isPlain(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
