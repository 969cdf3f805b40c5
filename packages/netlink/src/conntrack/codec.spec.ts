/** Tracked connections byte by byte, as Linux 6.18 lists them, and what always holds. */
import { expect } from 'chai';
import fc from 'fast-check';
import { Attributes, Encoder } from '../attribute.js';
import { MalformedMessageError } from '../errors.js';
import type { NetfilterMessage } from '../netfilter/nfnetlink.js';
import { decodeCpuStatistics, decodeEntry } from './entry.js';
import { checkFilter, describeFilter, isEmpty, matches, putFilter } from './filter.js';
import type { ConntrackEntry, ConntrackFilter } from './types.js';

const message = (hex: string, family = 2): NetfilterMessage => ({
  subsystem: 1,
  command: 0,
  family,
  resource: 0,
  attributes: new Attributes(Buffer.from(hex.replaceAll(' ', ''), 'hex')),
});

const tuple = (type: string, source: string, destination: string, ports: string) =>
  `34 00 ${type} 80 14 00 01 80 08 00 01 00 ${source} 08 00 02 00 ${destination} ` +
  `1c 00 02 80 05 00 01 00 06 00 00 00 ${ports}`;

/** A TCP connection to 10.0.0.100:80 that went to 10.0.0.2:30080, with SNAT to 10.0.0.100. */
const TCP =
  `${tuple('01', '0a4d0064', '0a000064', '06 00 02 00 9c40 00 00 06 00 03 00 0050 00 00')} ` +
  `${tuple('02', '0a000002', '0a000064', '06 00 02 00 7580 00 00 06 00 03 00 9c41 00 00')} ` +
  '08 00 03 00 0000018e 08 00 07 00 00001c1f 08 00 08 00 00000005 ' +
  '1c 00 09 80 0c 00 01 00 0000000000000007 0c 00 02 00 0000000000000400 ' +
  '1c 00 0a 80 0c 00 01 00 0000000000000006 0c 00 02 00 0000000000000800 ' +
  '30 00 04 80 2c 00 01 80 05 00 01 00 03 00 00 00 05 00 02 00 07 00 00 00 05 00 03 00 07 00 00 00 ' +
  '06 00 04 00 2300 00 00 06 00 05 00 2300 00 00 08 00 0c 00 9a1b2c3d';

const entry: ConntrackEntry = {
  family: 'ipv4',
  original: {
    protocol: 'tcp',
    source: '10.77.0.100',
    destination: '10.0.0.100',
    sourcePort: 40000,
    destinationPort: 80,
  },
  reply: {
    protocol: 'tcp',
    source: '10.0.0.2',
    destination: '10.0.0.100',
    sourcePort: 30080,
    destinationPort: 40001,
  },
  status: 0x18e,
  timeoutSeconds: 7199,
  mark: 5,
  zone: 0,
  id: 0x9a1b2c3d,
  state: 'ESTABLISHED',
  counters: { original: { packets: 7n, bytes: 1024n }, reply: { packets: 6n, bytes: 2048n } },
};

describe('tracked connections', () => {
  it('are read with both directions, state and counters', () => {
    expect(decodeEntry(message(TCP))).to.deep.equal(entry);
  });

  it('of other families are left out', () => {
    expect(decodeEntry(message(TCP, 7))).to.equal(undefined);
  });

  it('without a direction are malformed', () => {
    expect(() => decodeEntry(message('08000700 00001c1f'))).to.throw(MalformedMessageError);
  });

  it('of any bytes are read or refused as malformed', () => {
    const bytes = Buffer.from(TCP.replaceAll(' ', ''), 'hex');
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(bytes.length - 1), (noise, at) => {
        const mixed = Buffer.from(bytes);
        mixed.set(noise.subarray(0, mixed.length - at), at);
        for (const data of [mixed, Buffer.from(noise)]) {
          try {
            decodeEntry({ ...message(''), attributes: new Attributes(data) });
          } catch (error) {
            if (!(error instanceof MalformedMessageError)) throw error;
          }
        }
      }),
    );
  });

  it('are counted for each CPU', () => {
    const statistics = decodeCpuStatistics({ ...message('08000900 00000005 08000a00 00000006'), resource: 3 });
    expect(statistics).to.include({ cpu: 3, insertFailed: 5, drop: 6, earlyDrop: 0, clashResolve: 0 });
  });
});

describe('filters of connections', () => {
  const hex = (filter: ConntrackFilter) => {
    const encoder = new Encoder();
    putFilter(encoder, checkFilter(filter));
    return encoder.bytes().toString('hex');
  };

  it('put what the kernel shall compare, and the bits that say what', () => {
    const filter: ConntrackFilter = {
      protocol: 'udp',
      original: { destination: '10.0.0.100', destinationPort: 53 },
      reply: { source: '10.0.0.2', sourcePort: 30053 },
    };
    expect(hex(filter)).to.equal(
      [
        '24000180 0c000180 08000200 0a000064 14000280 05000100 11000000 06000300 00350000',
        '24000280 0c000180 08000100 0a000002 14000280 05000100 11000000 06000200 75650000',
        // Destination, protocol and destination port; source, protocol and source port. In host order.
        '14001980 08000100 2a000000 08000200 19000000',
      ]
        .join('')
        .replaceAll(' ', ''),
    );
  });

  it('put a mark without a family alone: the kernel compares tuples of one family only', () => {
    expect(hex({ protocol: 'udp', mark: { value: 5 } })).to.equal('0800080000000005' + '08001500ffffffff');
  });

  const holding: ConntrackFilter[] = [
    {},
    { family: 'ipv4' },
    { protocol: 'tcp' },
    { protocol: 6, original: { destinationPort: 80 } },
    { original: { source: '10.77.0.100', destination: '10.0.0.100' } },
    { reply: { source: '10.0.0.2' } },
    { mark: { value: 5 } },
    { mark: { value: 0xf1, mask: 0x1 } },
  ];
  for (const filter of holding) {
    it(`hold: ${describeFilter(filter)}`, () => {
      expect(matches(checkFilter(filter), entry)).to.equal(true);
    });
  }

  const failing: ConntrackFilter[] = [
    { family: 'ipv6' },
    { protocol: 'udp' },
    { protocol: 'tcp', original: { destinationPort: 30080 } },
    { protocol: 'tcp', original: { destinationPort: 80 }, reply: { source: '10.0.0.3' } },
    { mark: { value: 4 } },
  ];
  for (const filter of failing) {
    it(`do not hold: ${describeFilter(filter)}`, () => {
      expect(matches(checkFilter(filter), entry)).to.equal(false);
    });
  }

  it('take addresses in any form', () => {
    expect(checkFilter({ reply: { source: '2001:DB8:0::0002' } }).reply.source).to.equal('2001:db8::2');
  });

  it('know when they say nothing', () => {
    expect(isEmpty(checkFilter({ original: {}, reply: {} }))).to.equal(true);
    expect(isEmpty(checkFilter({ mark: { value: 0 } }))).to.equal(false);
  });

  const bad: [string, ConntrackFilter, typeof TypeError][] = [
    ['a port without a protocol', { original: { sourcePort: 1 } }, TypeError],
    ['a port beyond', { protocol: 'tcp', original: { sourcePort: 65536 } }, RangeError],
    ['two families', { family: 'ipv6', original: { source: '10.0.0.1' } }, TypeError],
    ['no address', { original: { source: 'web' } }, TypeError],
    ['an unknown protocol', { protocol: 'tpc' as 'tcp' }, TypeError],
    ['a mark beyond', { mark: { value: 2 ** 32 } }, RangeError],
  ];
  for (const [what, filter, error] of bad) {
    it(`refuse ${what}`, () => {
      expect(() => checkFilter(filter)).to.throw(error);
    });
  }
});
