/**
 * What a benchmark says: rows. A row is one number with its unit, and where there is one, what it is compared with
 * and the limit that it must keep.
 */

/** One row of a result, as it is written for programs. */
export interface Row {
  readonly name: string;
  readonly value: number;
  /** `ms`, `connections/s`, `%`; the same for `value`, `reference.value` and `samples`. */
  readonly unit: string;
  /** The same thing measured elsewhere: another program, another way, an earlier version. */
  readonly reference?: { readonly name: string; readonly value: number };
  /** value / reference.value */
  readonly ratio?: number;
  /** Of the ratio where there is a reference, of the value elsewhere. */
  readonly limit?: number;
  /** Whether the limit is kept; there if and only if `limit` is. */
  readonly ok?: boolean;
  /** Which side of the limit is good; `lower` where nothing is said. */
  readonly better?: 'lower' | 'higher';
  /** The raw measurements that `value` was made of, in the order in which they were taken. */
  readonly samples?: readonly number[];
}

/** A row before it is judged: everything but what follows from the rest. */
export type Measurement = Omit<Row, 'ratio' | 'ok'>;

/**
 * Works out the ratio and whether the limit is kept.
 * @throws TypeError when a number is not finite: such a row would pass for a good one in some comparisons
 */
export function judge(measurement: Measurement): Row {
  const { name, value, reference, limit, better = 'lower' } = measurement;
  for (const number of [value, reference?.value ?? 0, limit ?? 0, ...(measurement.samples ?? [])]) {
    if (!Number.isFinite(number)) throw new TypeError(`The row "${name}" has a number that is not finite: ${number}`);
  }
  if (reference?.value === 0) throw new TypeError(`The row "${name}" has a reference of 0, to which nothing compares`);
  const ratio = reference && value / reference.value;
  const judged = ratio ?? value;
  return {
    ...measurement,
    ...(ratio === undefined ? {} : { ratio }),
    ...(limit === undefined ? {} : { ok: better === 'lower' ? judged <= limit : judged >= limit }),
  };
}
