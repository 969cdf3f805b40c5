/** Throws RangeError, naming `what`, unless `value` is an integer from `min` to `max`. */
export function checkInteger(what: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`${what}: ${value} is not a whole number from ${min} to ${max}`);
  }
}
