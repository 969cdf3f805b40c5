/** Ethernet hardware addresses as text, `02:00:5e:10:00:01`. */

export const BROADCAST_MAC = Buffer.from('ffffffffffff', 'hex');
export const ZERO_MAC = Buffer.alloc(6);

/** Six octets from `aa:bb:cc:dd:ee:ff`. Throws a RangeError for anything else. */
export function parseMac(text: string): Buffer {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) {
    throw new RangeError(`"${text}" is not a hardware address: six octets as in 02:00:5e:10:00:01 are expected`);
  }
  return Buffer.from(text.replaceAll(':', ''), 'hex');
}

/** `aa:bb:cc:dd:ee:ff` from six octets. */
export function formatMac(octets: Uint8Array): string {
  return Array.from(octets, (octet) => octet.toString(16).padStart(2, '0')).join(':');
}
