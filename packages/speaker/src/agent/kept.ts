/** Leaving out of an object what nobody reads, where there are thousands of them. */

/**
 * A new object with those properties that are there. All that are made by the same names share a hidden class, as those made by spreading what
 * there may be do not: each of those gets one of its own, which is several times as large as the object.
 */
export function only<T extends object>(object: T, names: readonly (keyof T)[]): T {
  const kept = {} as T;
  for (const name of names) if (object[name] !== undefined) kept[name] = object[name];
  return kept;
}
