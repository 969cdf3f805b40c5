/**
 * Codecs against messages that ipvsadm, moby and a Linux 6.1 kernel exchanged (family 0x1c), byte by byte, and
 * against random ones.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import { Attributes, Encoder } from '../attribute.js';
import { MalformedMessageError } from '../errors.js';
import { encodeGenericRequest, type GenericRequest } from '../generic/generic-netlink.js';
import { decodeMessages, encodeMessages } from '../message.js';
import { commands } from './constants.js';
import { decodeDaemon, putDaemon } from './daemon.js';
import { decodeDestination, putDestination } from './destination.js';
import { encodeOperation } from './operation.js';
import { decodeService, putService, putServiceKey } from './service.js';
import type { IpvsDaemon, IpvsDestinationOptions, IpvsServiceKey, IpvsServiceOptions } from './types.js';
import { completeService } from './types.js';

const key: IpvsServiceKey = { family: 'ipv4', protocol: 'tcp', address: '10.0.0.100', port: 80 };
const KEY_BYTES = '0600010002000000' + '0600020006000000' + '080003000a000064' + '0600040000500000';

/** The whole message as hexadecimal digits. */
function wire(request: GenericRequest, flags: number, sequence: number): string {
  const { type, body } = encodeGenericRequest({ id: 0x1c, version: 1 }, request);
  return encodeMessages([{ type, flags, sequence, payload: body }]).toString('hex');
}

function attributes(put: (encoder: Encoder) => void): Attributes {
  const encoder = new Encoder();
  put(encoder);
  return new Attributes(encoder.bytes());
}

const fromHex = (hex: string) => new Attributes(Buffer.from(hex, 'hex'));

describe('IPVS requests', () => {
  it('NEW_SERVICE 10.0.0.100:80/tcp mh with flags 0x18', () => {
    const request = encodeOperation({ kind: 'add-service', service: { ...key, scheduler: 'mh', flags: 0x18 } });
    expect(wire(request, 5, 0x101a)).to.equal(
      '5c0000001c0005001a10000000000000' +
        '01010000' +
        '48000100' +
        KEY_BYTES +
        '070006006d680000' +
        '0c00070018000000ffffffff' +
        '0800080000000000' +
        '08000900ffffffff',
    );
  });

  it('NEW_DEST 10.0.0.2:30080 masquerade weight 1', () => {
    const destination = { address: '10.0.0.2', port: 30080, weight: 1 };
    expect(wire(encodeOperation({ kind: 'add-destination', service: key, destination }), 5, 0x1035)).to.equal(
      '6c0000001c0005003510000000000000' +
        '05010000' +
        '24000100' +
        KEY_BYTES +
        '34000200' +
        '080001000a000002' +
        '0600020075800000' +
        '0800030000000000' +
        '0800040001000000' +
        '0800050000000000' +
        '0800060000000000',
    );
  });

  it('DEL_SERVICE', () => {
    expect(wire(encodeOperation({ kind: 'delete-service', service: key }), 5, 0x105d)).to.equal(
      `380000001c0005005d100000000000000301000024000100${KEY_BYTES}`,
    );
  });

  it('GET_DEST as a dump', () => {
    const request = {
      command: commands.getDestination,
      attributes: (encoder: Encoder) => putServiceKey(encoder, key),
      operation: '',
    };
    expect(wire(request, 0x301, 0x103d)).to.equal(`380000001c0001033d100000000000000801000024000100${KEY_BYTES}`);
  });

  it('NEW_DAEMON backup on lo with sync id 51', () => {
    const request = {
      command: commands.newDaemon,
      attributes: (encoder: Encoder) => putDaemon(encoder, { state: 'backup', interface: 'lo', syncId: 51 }),
      operation: '',
    };
    expect(wire(request, 5, 0x104a)).to.equal(
      '300000001c0005004a10000000000000' +
        '09010000' +
        '1c000300' +
        '0800010002000000' +
        '070002006c6f0000' +
        '0800030033000000',
    );
  });

  it('SET_SERVICE, SET_DEST and DEL_DEST differ from NEW by the command and by what they need', () => {
    const destination = { address: '10.0.0.2', port: 30080, weight: 1 };
    const body = (request: GenericRequest) => wire(request, 5, 0).slice(32);
    const added = body(encodeOperation({ kind: 'add-service', service: { ...key, scheduler: 'rr' } }));
    const set = body(encodeOperation({ kind: 'set-service', service: { ...key, scheduler: 'rr' } }));
    expect(set).to.equal(added.replace(/^01/, '02'));
    const addedDestination = body(encodeOperation({ kind: 'add-destination', service: key, destination }));
    const setDestination = body(encodeOperation({ kind: 'set-destination', service: key, destination }));
    expect(setDestination).to.equal(addedDestination.replace(/^05/, '06'));
    expect(body(encodeOperation({ kind: 'delete-destination', service: key, destination }))).to.equal(
      `0701000024000100${KEY_BYTES}14000200080001000a0000020600020075800000`,
    );
  });

  it('an IPv6 service carries its prefix length in host order, and its address whole', () => {
    const service = {
      family: 'ipv6',
      protocol: 'udp',
      address: '2001:db8::1',
      port: 53,
      scheduler: 'rr',
      netmask: 64,
    } as const;
    const hex = wire(encodeOperation({ kind: 'add-service', service }), 5, 0);
    expect(hex).to.contain('060001000a000000' + '0600020011000000' + '1400030020010db8000000000000000000000001');
    expect(hex).to.contain('0800090040000000');
  });

  it('a service by firewall mark carries neither protocol nor address nor port', () => {
    const hex = wire(encodeOperation({ kind: 'delete-service', service: { ...key, fwmark: 5 } }), 5, 0);
    expect(hex.slice(40)).to.equal('14000100' + '0600010002000000' + '0800050005000000');
  });

  it('persistence sets its flag', () => {
    const service = { ...key, scheduler: 'rr', persistenceTimeoutSeconds: 300, netmask: 0xffffff00 };
    const hex = wire(encodeOperation({ kind: 'add-service', service }), 5, 0);
    expect(hex).to.contain('0c00070001000000ffffffff' + '080008002c010000' + '08000900ffffff00');
  });

  const bad: [string, () => unknown, string][] = [
    ['a port', () => put({ ...key, port: 65536 }), 'port of service 10.0.0.100: 65536'],
    ['a scheduler', () => put({ ...key, scheduler: 'a-name-too-long!' }), 'scheduler "a-name-too-long!"'],
    ['no scheduler', () => put({ ...key, scheduler: '' }), '1 to 15 characters'],
    ['a timeout', () => put({ ...key, persistenceTimeoutSeconds: -1 }), 'persistence timeout'],
    ['an address', () => put({ ...key, address: '10.0.0' }), '"10.0.0" is not'],
    ['a family', () => put({ ...key, family: 'ipv6' }), 'is not an ipv6 address'],
    ['a prefix length', () => put({ ...key, family: 'ipv6', address: '::1', netmask: 129 }), 'prefix length'],
    ['a protocol', () => put({ ...key, protocol: 'icmp' as 'tcp' }), '"icmp" is not a protocol of IPVS'],
    ['a weight', () => putReal({ weight: -1 }), 'weight of destination 10.0.0.2:80: -1'],
    ['half a weight', () => putReal({ weight: 0.5 }), 'weight'],
    ['a threshold', () => putReal({ upperThreshold: -1 }), 'upper threshold'],
    ['a sync id', () => putDaemon(new Encoder(), { state: 'master', interface: 'lo', syncId: 256 }), 'sync id'],
  ];
  function put(service: Partial<IpvsServiceOptions>): void {
    putService(new Encoder(), { ...key, scheduler: 'rr', ...service });
  }
  function putReal(destination: Partial<IpvsDestinationOptions>): void {
    putDestination(new Encoder(), { address: '10.0.0.2', port: 80, weight: 1, ...destination }, 'ipv4');
  }
  for (const [what, call, message] of bad) {
    it(`refuse ${what} that would not fit, and name it`, () => {
      expect(call)
        .to.throw(Error, message)
        .that.satisfies((e: Error) => e instanceof TypeError || e instanceof RangeError);
    });
  }
});

describe('IPVS answers', () => {
  const u64 = (type: number, value: bigint) => Buffer.from(new Encoder().u64(type, value).bytes()).toString('hex');
  // The kernel aligns each u64 with an empty attribute.
  const STATS64 = `a0000c00${[7n, 8n, 9n, 1n << 32n, 11n, 12n, 13n, 14n, 15n, 16n]
    .map((value, i) => u64(i + 1, value))
    .join('04000b00')}`;
  const ENTRY = (forwarding: string) =>
    '140001000a000009000000000000000000000000' +
    '0600020075800000' +
    `08000300${forwarding}` +
    '0800040005000000' +
    '05000d0000000000' +
    '06000e0000000000' +
    '06000f0000000000' +
    '0800050064000000' +
    '080006004b000000' +
    '0800070003000000' +
    '0800080002000000' +
    '0800090000000000' +
    '06000b0002000000';
  const nest = (type: string, body: string) => {
    const length = Buffer.alloc(2);
    length.writeUInt16LE(4 + body.length / 2);
    return `${length.toString('hex')}${type}${body}`;
  };

  it('a destination: IPv4 in 16 bytes, counters, 64-bit statistics', () => {
    const destination = decodeDestination(fromHex(nest('0200', ENTRY('00000000') + STATS64)), 'ipv4');
    expect(destination).to.deep.equal({
      address: '10.0.0.9',
      port: 30080,
      weight: 5,
      forwarding: 'masquerade',
      upperThreshold: 100,
      lowerThreshold: 75,
      activeConnections: 3,
      inactiveConnections: 2,
      persistentConnections: 0,
      stats: {
        connections: 7n,
        inPackets: 8n,
        outPackets: 9n,
        inBytes: 1n << 32n,
        outBytes: 11n,
        connectionsPerSecond: 12,
        inPacketsPerSecond: 13,
        outPacketsPerSecond: 14,
        inBytesPerSecond: 15,
        outBytesPerSecond: 16,
      },
    });
  });

  it('32-bit statistics with padding, where there are no others', () => {
    const stats = nest(
      '0a00',
      '0800010001000000' +
        '0800020002000000' +
        '0800030003000000' +
        '04000b00' +
        '0c0004000400000000000000' +
        '04000b00' +
        '0c0005000500000000000000' +
        '0800060006000000',
    );
    expect(decodeDestination(fromHex(nest('0200', ENTRY('00000000') + stats)), 'ipv4').stats).to.include({
      connections: 1n,
      outPackets: 3n,
      inBytes: 4n,
      outBytes: 5n,
      connectionsPerSecond: 6,
      outBytesPerSecond: 0,
    });
  });

  it("the family of a destination is its own, or the service's where a kernel before 3.18 does not say", () => {
    const withFamily = ENTRY('02000000');
    const without = withFamily.slice(0, -16);
    expect(decodeDestination(fromHex(nest('0200', withFamily)), 'ipv6').address).to.equal('10.0.0.9');
    expect(decodeDestination(fromHex(nest('0200', without)), 'ipv4').address).to.equal('10.0.0.9');
    expect(decodeDestination(fromHex(nest('0200', without)), 'ipv6').address).to.equal('a00:9::');
  });

  for (const [number, name] of [
    ['00000000', 'masquerade'],
    ['01000000', 'local'],
    ['02000000', 'tunnel'],
    ['03000000', 'direct'],
    ['04000000', 'bypass'],
    ['07000000', 'unknown'],
    ['80010000', 'masquerade'], // with connection flags
  ] as const) {
    it(`forwarding ${number} is ${name}`, () => {
      expect(decodeDestination(fromHex(nest('0200', ENTRY(number))), 'ipv4').forwarding).to.equal(name);
    });
  }

  const SERVICE = (flags: string) =>
    '0600010002000000' +
    '0600020006000000' +
    '140003000a000064000000000000000000000000' +
    '0600040000500000' +
    '070006006d680000' +
    `0c000700${flags}ffffffff` +
    '0800080000000000' +
    '08000900ffffffff';

  it("a service, without the kernel's HASHED flag", () => {
    expect(decodeService(fromHex(nest('0100', SERVICE('1a000000'))))).to.deep.equal({
      ...key,
      scheduler: 'mh',
      flags: 0x18,
      persistenceTimeoutSeconds: 0,
      netmask: 0xffffffff,
    });
  });

  it('a service by firewall mark', () => {
    const hex = '0600010002000000' + '0800050005000000' + '0700060072720000' + '0c00070002000000ffffffff';
    expect(decodeService(fromHex(nest('0100', hex)))).to.include({ fwmark: 5, address: '0.0.0.0', port: 0, flags: 0 });
  });

  it('a service of a protocol that IPVS does not forward is left out', () => {
    const hex = SERVICE('02000000').replace('0600020006000000', '0600020063000000');
    expect(decodeService(fromHex(nest('0100', hex)))).to.equal(undefined);
  });

  it('a captured daemon', () => {
    const hex = nest(
      '0300',
      '0800010001000000' +
        '070002006c6f0000' +
        '0800030033000000' +
        '06000400c0050000' +
        '08000500e0000051' +
        '060007000f270000' +
        '0500080001000000',
    );
    expect(decodeDaemon(fromHex(hex))).to.deep.equal({
      state: 'master',
      interface: 'lo',
      syncId: 51,
      maxLength: 1472,
      group: '224.0.0.81',
      port: 9999,
      ttl: 1,
    });
  });
});

const port = fc.nat(0xffff);
const ipv4 = fc.ipV4();
const ipv6 = fc
  .tuple(fc.nat(0xffff), fc.nat(0xffff))
  .map(([a, b]) => `2001:db8:${(a | 1).toString(16)}::${(b | 1).toString(16)}`);
const anyKey: fc.Arbitrary<IpvsServiceKey> = fc.oneof(
  fc.record({
    family: fc.constant('ipv4' as const),
    address: ipv4,
    port,
    protocol: fc.constantFrom('tcp', 'udp', 'sctp'),
  }),
  fc.record({
    family: fc.constant('ipv6' as const),
    address: ipv6,
    port,
    protocol: fc.constantFrom('tcp', 'udp', 'sctp'),
  }),
);
const anyDestination: fc.Arbitrary<IpvsDestinationOptions> = fc.record({
  address: fc.oneof(ipv4, ipv6),
  port,
  weight: fc.nat(0x7fffffff),
  forwarding: fc.constantFrom('masquerade', 'tunnel', 'direct'),
  upperThreshold: fc.nat(0xffffffff),
  lowerThreshold: fc.nat(0xffffffff),
});

describe('IPVS codecs', () => {
  it('return the service that was put in', () => {
    fc.assert(
      fc.property(
        anyKey,
        fc.string({ minLength: 1, maxLength: 15, unit: fc.constantFrom(...'abcxyz_') }),
        fc.constantFrom(0, 0x4, 0x18),
        fc.constantFrom(0, 300),
        (serviceKey, scheduler, flags, persistenceTimeoutSeconds) => {
          const service = { ...serviceKey, scheduler, flags, persistenceTimeoutSeconds };
          expect(decodeService(attributes((encoder) => putService(encoder, service)))).to.deep.equal(
            completeService(service),
          );
        },
      ),
    );
  });

  it('return the destination that was put in', () => {
    fc.assert(
      fc.property(anyDestination, fc.constantFrom('ipv4' as const, 'ipv6' as const), (destination, family) => {
        expect(
          decodeDestination(
            attributes((encoder) => putDestination(encoder, destination, family)),
            family,
          ),
        ).to.include(destination);
      }),
    );
  });

  it('return the tunnel that was put in', () => {
    for (const tunnel of [
      { type: 'ipip', port: 0, checksum: 'none' },
      { type: 'gue', port: 6080, checksum: 'remote' },
      { type: 'gre', port: 0, checksum: 'full' },
    ] as const) {
      const destination = { address: '10.0.0.2', port: 80, weight: 1, forwarding: 'tunnel', tunnel } as const;
      const decoded = decodeDestination(
        attributes((encoder) => putDestination(encoder, destination, 'ipv4')),
        'ipv4',
      );
      expect(decoded.tunnel).to.deep.equal(tunnel);
    }
  });

  it('return the daemon that was put in', () => {
    fc.assert(
      fc.property(
        fc.record({
          state: fc.constantFrom('master', 'backup'),
          interface: fc.constantFrom('lo', 'eth0'),
          syncId: fc.nat(255),
          maxLength: fc.nat(0xffff),
          group: fc.oneof(ipv4, ipv6),
          port,
          ttl: fc.nat(255),
        }) satisfies fc.Arbitrary<IpvsDaemon>,
        (daemon) => {
          expect(decodeDaemon(attributes((encoder) => putDaemon(encoder, daemon)))).to.deep.equal(daemon);
        },
      ),
    );
  });

  it('end on any bytes, and complain in one way only', () => {
    const nested = fc.uint8Array({ maxLength: 120 }).map((bytes) => Buffer.from(bytes));
    // Half of the time well-formed outside, so that the inner parts are reached.
    const shaped = fc.array(fc.tuple(fc.nat(15), fc.uint8Array({ maxLength: 20 })), { maxLength: 12 }).map((list) => {
      const encoder = new Encoder();
      for (const [type, data] of list) encoder.binary(type, data);
      return Buffer.from(encoder.bytes());
    });
    fc.assert(
      fc.property(fc.oneof(nested, shaped), fc.constantFrom(1, 2, 3), (bytes, type) => {
        const decoders = [decodeService, (a: Attributes) => decodeDestination(a, 'ipv6'), decodeDaemon];
        const message = attributes((encoder) => encoder.binary(type, bytes));
        for (const decode of decoders) {
          try {
            decode(message);
          } catch (error) {
            expect(error).to.be.instanceOf(MalformedMessageError);
          }
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('need no message to be whole: the framing is checked first', () => {
    const message = encodeMessages([{ type: 0x1c, flags: 2, sequence: 1, payload: Buffer.alloc(400) }]);
    for (let cut = 1; cut < message.length; cut += 7) {
      expect(() => decodeMessages(message.subarray(0, cut))).to.throw(MalformedMessageError);
    }
  });
});
