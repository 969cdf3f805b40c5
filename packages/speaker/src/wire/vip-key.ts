/**
 * A VIP as packets carry it, in a form that is cheap to make from a packet and to look up: an IPv4 address as an unsigned 32-bit
 * number in host order, an IPv6 address as its 32 hexadecimal digits.
 */

import { parseAddress } from '@fairlead/api';

export type VipKey = number | string;

export function vipKey(address: string): VipKey {
  const parsed = parseAddress(address);
  return parsed.family === 'ipv4' ? parsed.value : parsed.value.toString(16).padStart(32, '0');
}
