import { expect } from 'chai';
import fc from 'fast-check';
import { type Advertisement, decodeAdvertisement, encodeAdvertisement, type Path } from './advertisement.js';

const hex = (text: string) => Buffer.from(text, 'hex');
const V4: Path = { source: hex('0a000001'), destination: hex('e0000012') };
const V6: Path = {
  source: hex('fe8000000000000054bc92fffe378589'),
  destination: hex('ff020000000000000000000000000012'),
};
/** Captured from keepalived 2.2.7: 10.0.0.100, virtual router 51, priority 150, every second. */
const KEEPALIVED_V4 = hex('31339601006443730a000064');
/** The same over IPv6: fe80::51 and fd00:7::100. */
const KEEPALIVED_V6 = hex('313d96020064d1d6fe800000000000000000000000000051fd000007000000000000000000000100');

const advertisements = (size: number) =>
  fc.record({
    virtualRouterId: fc.integer({ min: 1, max: 255 }),
    priority: fc.nat(255),
    intervalMs: fc.integer({ min: 1, max: 4095 }).map((centiseconds) => centiseconds * 10),
    addresses: fc.array(
      fc.uint8Array({ minLength: size, maxLength: size }).map((bytes) => Buffer.from(bytes)),
      { minLength: 1, maxLength: 32 },
    ),
  });

function faultOf(change: (bytes: Buffer) => void): string {
  const bytes = encodeAdvertisement(
    { virtualRouterId: 51, priority: 150, intervalMs: 1000, addresses: [hex('0a000064')] },
    V4,
  );
  change(bytes);
  const decoded = decodeAdvertisement(bytes, V4);
  return decoded.ok ? 'none' : decoded.fault;
}

describe('the VRRP advertisement', () => {
  it('is written as RFC 9568 has it, without a pseudo-header over IPv4', () => {
    const advertisement: Advertisement = {
      virtualRouterId: 51,
      priority: 150,
      intervalMs: 1000,
      addresses: [hex('0a000064')],
    };
    expect(encodeAdvertisement(advertisement, V4).toString('hex')).to.equal('3133960100642e030a000064');
  });

  it('reads what keepalived sends over IPv4, which counts a pseudo-header', () => {
    const decoded = decodeAdvertisement(KEEPALIVED_V4, V4);
    expect(decoded).to.deep.equal({
      ok: true,
      advertisement: { virtualRouterId: 51, priority: 150, intervalMs: 1000, addresses: [hex('0a000064')] },
      checksum: 'rfc5798',
    });
    if (!decoded.ok) throw new Error(decoded.fault);
    expect(encodeAdvertisement(decoded.advertisement, V4, decoded.checksum)).to.deep.equal(KEEPALIVED_V4);
  });

  it('reads and writes what keepalived sends over IPv6', () => {
    const decoded = decodeAdvertisement(KEEPALIVED_V6, V6);
    if (!decoded.ok) throw new Error(decoded.fault);
    expect(decoded.advertisement.addresses).to.have.length(2);
    expect(encodeAdvertisement(decoded.advertisement, V6)).to.deep.equal(KEEPALIVED_V6);
  });

  it('is read as it was written, padding or not', () => {
    for (const [size, path] of [
      [4, V4],
      [16, V6],
    ] as const) {
      fc.assert(
        fc.property(advertisements(size), fc.nat(40), (advertisement, padding) => {
          const bytes = Buffer.concat([encodeAdvertisement(advertisement, path), Buffer.alloc(padding)]);
          expect(decodeAdvertisement(bytes, path)).to.deep.equal({ ok: true, advertisement, checksum: 'rfc9568' });
        }),
      );
    }
  });

  const faults: [string, (bytes: Buffer) => void, string][] = [
    ['of version 2', (bytes) => bytes.writeUInt8(0x21, 0), 'version'],
    ['of another type', (bytes) => bytes.writeUInt8(0x32, 0), 'type'],
    ['without addresses', (bytes) => bytes.writeUInt8(0, 3), 'count'],
    ['with fewer addresses than it counts', (bytes) => bytes.writeUInt8(2, 3), 'length'],
    ['that was damaged', (bytes) => bytes.writeUInt8(151, 2), 'checksum'],
    ['without an interval', (bytes) => bytes.writeUInt32BE(0x00002e67, 4), 'interval'],
  ];
  for (const [what, change, fault] of faults) {
    it(`is refused when it is one ${what}`, () => expect(faultOf(change)).to.equal(fault));
  }

  it('is refused when it is cut off', () => {
    expect(decodeAdvertisement(KEEPALIVED_V4.subarray(0, 7), V4)).to.deep.equal({ ok: false, fault: 'length' });
  });

  it('survives any bytes', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void decodeAdvertisement(Buffer.from(bytes), V4)));
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => void decodeAdvertisement(Buffer.concat([hex('31330001'), bytes]), V6)),
    );
  });
});
