/** The lock that contenders of these suites compete for: with the timing of speakers. */
export const LOCK = { name: 'lock', leaseDurationMs: 3_000, renewPeriodMs: 1_000, retryPeriodMs: 200 };
