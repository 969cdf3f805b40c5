/** Throws RangeError, naming what it is, unless `value` is an integer from `min` to `max`. */
export function checkInteger(value: number, min: number, max: number, what: () => string): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`${what()}: ${value} is not a whole number from ${min} to ${max}`);
  }
}
