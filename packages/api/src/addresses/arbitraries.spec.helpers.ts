/** fast-check generators of addresses and ranges, for this package's specs. */

import fc from 'fast-check';
import type { IpAddress } from './address.js';
import { addressOf, compareAddresses } from './address.js';
import type { AddressRange } from './range.js';

const v4Value = fc.bigInt({ min: 0n, max: (1n << 32n) - 1n });
/** Groups are often zero, so that runs of zeros of every length and place occur. */
const v6Value = fc
  .array(fc.oneof({ weight: 2, arbitrary: fc.constant(0n) }, fc.bigInt({ min: 0n, max: 0xffffn })), {
    minLength: 8,
    maxLength: 8,
  })
  .map((groups) => groups.reduce((value, group) => (value << 16n) | group, 0n));

export const anyIpv4: fc.Arbitrary<IpAddress> = v4Value.map((value) => addressOf('ipv4', value));
export const anyIpv6: fc.Arbitrary<IpAddress> = v6Value.map((value) => addressOf('ipv6', value));
export const anyAddress: fc.Arbitrary<IpAddress> = fc.oneof(anyIpv4, anyIpv6);
export const anyIpv6Text: fc.Arbitrary<string> = fc.ipV6();

export const anyRange: fc.Arbitrary<AddressRange> = fc
  .oneof(fc.tuple(anyIpv4, anyIpv4), fc.tuple(anyIpv6, anyIpv6))
  .map(([a, b]) => (compareAddresses(a, b) <= 0 ? { first: a, last: b } : { first: b, last: a }));
