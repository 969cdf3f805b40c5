/** Numbers that stand for many. */

/**
 * The value below which `percent` of the samples lie, interpolated linearly between the two nearest ones.
 * @param samples in any order, at least one
 * @param percent 0 (the least) … 50 (the median) … 100 (the greatest)
 */
export function percentile(samples: readonly number[], percent: number): number {
  if (samples.length === 0) throw new RangeError('A percentile of no samples was asked for');
  if (!(percent >= 0 && percent <= 100)) throw new RangeError(`A percentile is between 0 and 100, not ${percent}`);
  const sorted = samples.toSorted((a, b) => a - b);
  const position = ((sorted.length - 1) * percent) / 100;
  const below = sorted[Math.floor(position)]!;
  const above = sorted[Math.ceil(position)]!;
  return below + (above - below) * (position - Math.floor(position));
}

export function median(samples: readonly number[]): number {
  return percentile(samples, 50);
}
