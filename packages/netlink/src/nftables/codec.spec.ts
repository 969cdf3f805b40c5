/** Elements byte by byte, as nft 1.0.6 sends them and Linux 6.18 answers (captured with strace), and what always holds. */
import { expect } from 'chai';
import fc from 'fast-check';
import { Attributes, Encoder } from '../attribute.js';
import { MalformedMessageError, NetlinkError } from '../errors.js';
import { setFlags, VERDICT_DATA_TYPE } from './constants.js';
import { decodeElements, putElement } from './element.js';
import { fieldTypes } from './field.js';
import { decodeSet, layoutOf, type SetLayout } from './set.js';
import { keyName, type NftElementOptions } from './types.js';

const table = { family: 'inet', name: 't' } as const;
const IPV4 = 7;
const IPV6 = 8;
const ETHER = 9;
const PROTO = 12;
const SERVICE = 13;
const concatenation = (...types: number[]) => types.reduce((number, type) => (number << 6) | type, 0);
const layout = (keyType: number, flags = 0, valueType = 0): SetLayout =>
  layoutOf(table, { name: 's', flags, keyType, valueType });

const services = layout(concatenation(IPV4, PROTO, SERVICE));
const sources = layout(concatenation(IPV4, PROTO, SERVICE, IPV4), setFlags.interval | setFlags.concatenation);
const networks = layout(IPV4, setFlags.interval);
const snat6 = layout(IPV6, setFlags.map, IPV6);
const dispatch = layout(IPV4, setFlags.map, VERDICT_DATA_TYPE);

const hex = (set: SetLayout, ...elements: NftElementOptions[]): string => {
  const encoder = new Encoder();
  for (const element of elements) putElement(encoder, set, element);
  return encoder.bytes().toString('hex');
};
const bytes = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

const captured: { what: string; set: SetLayout; elements: NftElementOptions[]; text: string }[] = [
  {
    what: 'addresses, protocols and ports side by side',
    set: services,
    elements: [{ key: ['10.0.0.1', 'tcp', 80] }, { key: ['10.0.0.2', 'udp', 53] }],
    text:
      '18000180 14000180 10000100 0a000001 06000000 00500000' + '18000180 14000180 10000100 0a000002 11000000 00350000',
  },
  {
    what: 'a range in each field as first and last key',
    set: sources,
    elements: [{ key: ['10.0.0.1', 'tcp', 80, '192.168.0.0/16'] }],
    text:
      '34000180 18000180 14000100 0a000001 06000000 00500000 c0a80000' +
      '18000a80 14000100 0a000001 06000000 00500000 c0a8ffff',
  },
  {
    what: 'a map to addresses',
    set: snat6,
    elements: [{ key: ['2001:db8::1'], value: ['2001:db8::2'] }],
    text:
      '34000180 18000180 14000100 20010db8000000000000000000000001' +
      '18000280 14000100 20010db8000000000000000000000002',
  },
  {
    what: 'a range in a set of intervals as where it begins and where it has ended',
    set: networks,
    elements: [{ key: ['10.0.0.0/8'] }],
    text: '10000180 0c000180 08000100 0a000000' + '18000180 08000300 00000001 0c000180 08000100 0b000000',
  },
  {
    what: 'a map to verdicts',
    set: dispatch,
    elements: [{ key: ['10.0.0.1'], value: { verdict: 'goto', chain: 'c' } }],
    text: '28000180 0c000180 08000100 0a000001' + '18000280 14000280 08000100 fffffffc 06000200 63000000',
  },
];

describe('set elements', () => {
  for (const { what, set, elements, text } of captured) {
    it(`put ${what}`, () => {
      expect(hex(set, ...elements)).to.equal(text.replaceAll(' ', ''));
    });

    it(`read ${what}`, () => {
      expect(decodeElements(set, [bytes(text)])).to.deep.equal(elements);
    });
  }

  it('are read with counters', () => {
    const text =
      '60000100 18000100 14000100 0a000001 06000000 00500000 c0a80000' +
      '18000a00 14000100 0a000001 06000000 00500000 c0a8ffff' +
      '2c000700 0c000100 636f756e74657200 1c000200 0c000100 0000000000000102 0c000200 0000000000000003';
    expect(decodeElements(sources, [bytes(text)])).to.deep.equal([
      { key: ['10.0.0.1', 'tcp', 80, '192.168.0.0/16'], counter: { packets: 3n, bytes: 258n } },
    ]);
  });

  it('are read with timeouts', () => {
    const encoder = new Encoder();
    putElement(encoder, services, { key: ['10.0.0.1', 'tcp', 80], timeoutMs: 60_000 });
    expect(decodeElements(services, [encoder.bytes()])?.[0]).to.include({ timeoutMs: 60_000 });
  });

  it('are read without what stands for all other keys', () => {
    // NFTA_SET_ELEM_FLAGS = NFT_SET_ELEM_CATCHALL
    expect(decodeElements(services, [bytes('0c000100 08000300 00000002')])).to.deep.equal([]);
  });

  it('are no complete list when one of them is there twice', () => {
    const { text } = captured[0]!;
    expect(decodeElements(services, [bytes(text), bytes(text)])).to.equal(undefined);
  });

  it('may begin with the end of what nft takes for a range before the first', () => {
    const zero = '18000180 08000300 00000001 0c000180 08000100 00000000';
    expect(decodeElements(networks, [bytes(captured[3]!.text + zero)])?.map(({ key }) => key)).to.deep.equal([
      ['10.0.0.0/8'],
    ]);
  });

  const last: [string, string][] = [
    ['255.0.0.0/8', '10000180 0c000180 08000100 ff000000'],
    ['0.0.0.0/0', '10000180 0c000180 08000100 00000000'],
  ];
  for (const [range, text] of last) {
    it(`have no end where nothing comes after ${range}`, () => {
      expect(hex(networks, { key: [range] })).to.equal(text.replaceAll(' ', ''));
      expect(decodeElements(networks, [bytes(text)])).to.deep.equal([{ key: [range] }]);
    });
  }

  const ranges: [given: string, read: string][] = [
    ['10.1.2.3/8', '10.0.0.0/8'],
    ['10.0.0.0-10.255.255.255', '10.0.0.0/8'],
    ['10.0.0.1-10.0.0.1', '10.0.0.1'],
    ['10.0.0.1/32', '10.0.0.1'],
    ['10.0.0.1-10.0.0.2', '10.0.0.1-10.0.0.2'],
    ['10.0.0.2-10.0.0.3', '10.0.0.2/31'],
    ['0.0.0.0-255.255.255.255', '0.0.0.0/0'],
    ['10.0.0.255-10.0.1.0', '10.0.0.255-10.0.1.0'],
  ];
  for (const [given, read] of ranges) {
    it(`show ${given} as ${read}`, () => {
      const encoder = new Encoder();
      putElement(encoder, networks, { key: [given] });
      expect(decodeElements(networks, [encoder.bytes()])).to.deep.equal([{ key: [read] }]);
    });
  }

  const bad: [what: string, set: SetLayout, element: NftElementOptions, error: typeof TypeError][] = [
    ['too few fields', services, { key: ['10.0.0.1', 'tcp'] }, TypeError],
    ['two fields for one', networks, { key: ['10.0.0.1', 'tcp'] }, TypeError],
    ['the other family', services, { key: ['2001:db8::1', 'tcp', 80] }, TypeError],
    ['no address', services, { key: ['web', 'tcp', 80] }, TypeError],
    ['an unknown protocol', services, { key: ['10.0.0.1', 'tpc', 80] }, RangeError],
    ['a port beyond', services, { key: ['10.0.0.1', 'tcp', 65536] }, RangeError],
    ['half a port', services, { key: ['10.0.0.1', 'tcp', 80.5] }, RangeError],
    ['a prefix too long', networks, { key: ['10.0.0.0/33'] }, RangeError],
    ['two prefixes', networks, { key: ['10.0.0.0/8/8'] }, RangeError],
    ['a range backwards', networks, { key: ['10.0.0.2-10.0.0.1'] }, RangeError],
    ['a range of three', networks, { key: ['10.0.0.1-10.0.0.2-10.0.0.3'] }, RangeError],
    ['a value in a set', services, { key: ['10.0.0.1', 'tcp', 80], value: ['10.0.0.1'] }, TypeError],
    ['a verdict in a map to addresses', snat6, { key: ['::1'], value: { verdict: 'accept' } }, TypeError],
    ['an address in a map to verdicts', dispatch, { key: ['10.0.0.1'], value: ['10.0.0.1'] }, TypeError],
  ];
  for (const [what, set, element, error] of bad) {
    it(`refuse ${what}`, () => {
      expect(() => hex(set, element)).to.throw(error);
    });
  }

  const byte = fc.integer({ min: 0, max: 255 });
  const ipv4 = fc.tuple(byte, byte, byte, byte).map((parts) => parts.join('.'));
  const port = fc.integer({ min: 0, max: 65535 });
  const protocol = fc.constantFrom('tcp', 'udp', 'sctp', 'icmp', 'icmpv6', 0, 2, 255);

  it('are read as they were put, whatever they are', () => {
    const element = fc.record({ key: fc.tuple(ipv4, protocol, port) });
    const list = fc.uniqueArray(element, { selector: ({ key }) => keyName(key) });
    fc.assert(
      fc.property(list, (elements) => {
        const encoder = new Encoder();
        for (const one of elements) putElement(encoder, services, one);
        expect(decodeElements(services, [Buffer.from(encoder.bytes())])).to.deep.equal(elements);
      }),
    );
  });

  it('with ranges become canonical once, and stay so', () => {
    const prefix = fc.tuple(ipv4, fc.integer({ min: 0, max: 32 })).map(([address, bits]) => `${address}/${bits}`);
    const ports = fc.tuple(port, port).map(([x, y]) => `${Math.min(x, y)}-${Math.max(x, y)}`);
    const through = (key: readonly (string | number)[]) => {
      const encoder = new Encoder();
      putElement(encoder, sources, { key });
      return decodeElements(sources, [Buffer.from(encoder.bytes())])![0]!.key;
    };
    fc.assert(
      fc.property(fc.tuple(ipv4, protocol, fc.oneof(port, ports), fc.oneof(ipv4, prefix)), (key) => {
        const canonical = through(key);
        expect(through(canonical)).to.deep.equal(canonical);
      }),
    );
  });

  it('of any bytes are read or refused as malformed', () => {
    for (const set of [services, sources, networks, snat6, dispatch]) {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(...captured), fc.nat(200), (noise, one, at) => {
          const mixed = bytes(one.text);
          mixed.set(noise.subarray(0, Math.max(0, mixed.length - at)), Math.min(at, mixed.length));
          for (const data of [Buffer.from(noise), mixed]) {
            try {
              decodeElements(set, [data]);
            } catch (error) {
              if (!(error instanceof MalformedMessageError)) throw error;
            }
          }
        }),
      );
    }
  });
});

describe('set declarations', () => {
  it('name the fields of a concatenation', () => {
    expect(fieldTypes(concatenation(IPV6, ETHER, PROTO, SERVICE))?.map(({ name }) => name)).to.deep.equal([
      'ipv6_addr',
      'ether_addr',
      'inet_proto',
      'inet_service',
    ]);
    expect(fieldTypes(0)).to.equal(undefined);
    expect(fieldTypes(41)).to.equal(undefined);
  });

  it('are read as the kernel tells them', () => {
    const encoder = new Encoder();
    encoder.string(1, 't').string(2, 's').u32be(3, 0x84).u32be(4, concatenation(IPV4, SERVICE));
    expect(decodeSet(new Attributes(encoder.bytes()))).to.deep.equal({
      name: 's',
      flags: 0x84,
      keyType: concatenation(IPV4, SERVICE),
      valueType: 0,
    });
    expect(() => decodeSet(new Attributes(Buffer.alloc(0)))).to.throw(MalformedMessageError);
  });

  it('of other types are refused by name', () => {
    expect(() => layout(41)).to.throw(NetlinkError, 'use set inet t s: FL_NFT_TYPE');
  });
});
