/** Epoch milliseconds with fractions, on the clock that attempts are told by: it does not jump when the machine's clock is set. */
export function epochMs(): number {
  return performance.timeOrigin + performance.now();
}
