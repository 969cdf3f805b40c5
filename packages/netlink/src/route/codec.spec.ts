/** Codecs of rtnetlink: against messages of a Linux 6.18 kernel (attributes that nobody reads left out), and random ones. */
import { expect } from 'chai';
import fc from 'fast-check';
import { Encoder } from '../attribute.js';
import type { Request } from '../batch.js';
import { MalformedMessageError } from '../errors.js';
import type { Family } from '../ip.js';
import { addAddressRequest, decodeInterfaceAddress, deleteAddressRequest } from './address.js';
import { addVethRequest, decodeLink, setLinkRequest } from './link.js';
import { decodeNeighbour, replaceNeighbourRequest } from './neighbour.js';
import { addRouteRequest, decodeRoute, deleteRouteRequest } from './route.js';
import { addRuleRequest, decodeRule } from './rule.js';

const hex = (...parts: string[]) => Buffer.from(parts.join(''), 'hex');
const bodyHex = (request: Request) => Buffer.from(request.body).toString('hex');

describe('decoding what the kernel says', () => {
  it('about a veth interface', () => {
    const message = hex(
      '00000100030000004310010000000000', // index 3, up, running, lower up
      '0700030076300000',
      '0500100006000000',
      '08000400dc050000',
      '0800050002000000', // IFLA_LINK
      '0b00140075706c696e6b0000',
      '0a0001000200000000010000',
      '1000120009000100' + '7665746800000000',
    );
    expect(decodeLink(message)).to.deep.equal({
      index: 3,
      name: 'v0',
      kind: 'veth',
      up: true,
      carrier: true,
      operationalState: 'up',
      loopback: false,
      flags: 0x11043,
      mtu: 1500,
      address: '02:00:00:00:00:01',
      peerIndex: 2,
      alias: 'uplink',
    });
  });

  it('about addresses', () => {
    const v4 = hex(
      '0218800003000000',
      '080001000a090001' + '080002000a090001' + '0700030076300000' + '0800080080000000',
      '14000600ffffffffffffffff3496060034960600',
    );
    expect(decodeInterfaceAddress(v4)).to.deep.equal({
      ...{ index: 3, family: 'ipv4', address: '10.9.0.1', prefixLength: 24, scope: 0, flags: 0x80 },
      ...{ permanent: true, tentative: false, duplicate: false, label: 'v0' },
    });
    const v6 = hex(
      '0a40020003000000',
      '1400010020010db8000000000000000000000001',
      '14000600a0860100a08601003596060035960600' + '0800080002000000',
    );
    expect(decodeInterfaceAddress(v6)).to.deep.equal({
      ...{ index: 3, family: 'ipv6', address: '2001:db8::1', prefixLength: 64, scope: 0, flags: 2 },
      ...{ permanent: false, tentative: false, duplicate: false, validLifetimeSeconds: 100_000 },
    });
    const linkLocal = hex('0a40c0fd03000000', '14000100fe80000000000000000000fffe000001', '08000800c0000000');
    expect(decodeInterfaceAddress(linkLocal)).to.include({ address: 'fe80::ff:fe00:1', tentative: true, scope: 253 });
  });

  it('about routes', () => {
    const v4 = hex(
      '02100000fc630001' + '04000000' + '08000f00591b0000',
      '080001000a140000' + '080007000a090001' + '080005000a090002' + '0800040003000000',
    );
    expect(decodeRoute(v4)).to.deep.equal({
      ...{ family: 'ipv4', destination: '10.20.0.0', prefixLength: 16, table: 7001, protocol: 99, scope: 0 },
      ...{ type: 'unicast', gateway: '10.9.0.2', index: 3, onlink: true, source: '10.9.0.1' },
    });
    const v6 = hex(
      '0a300000fc630001' + '00000000' + '08000f00591b0000',
      '1400010020010db8002000000000000000000000' + '0800060000040000',
      '14000500fe800000000000000000000000000002' + '0800040003000000' + '0500140000000000',
    );
    expect(decodeRoute(v6)).to.deep.equal({
      ...{ family: 'ipv6', destination: '2001:db8:20::', prefixLength: 48, table: 7001, protocol: 99, scope: 0 },
      ...{ type: 'unicast', gateway: 'fe80::2', index: 3, metric: 1024 },
    });
  });

  it('about cached and foreign routes: nothing', () => {
    const cached = hex('0a800000fe000001' + '00020000');
    const multicastFamily = hex('8020000000000000' + '00000000');
    expect([decodeRoute(cached), decodeRoute(multicastFamily)]).to.deep.equal([undefined, undefined]);
  });

  it('about rules', () => {
    const marked = hex(
      '02001000fc00000100000000' + '08000f00591b0000' + '08000e00ffffffff' + '0500150063000000',
      '0700030076300000' + '0800060064000000' + '08000a0000400000' + '0800100000c00000' + '080002000a010000',
    );
    expect(decodeRule(marked)).to.deep.equal({
      ...{ family: 'ipv4', priority: 100, table: 7001, action: 'table', iifName: 'v0', mark: 0x4000, mask: 0xc000 },
      ...{ source: { address: '10.1.0.0', prefixLength: 16 }, protocol: 99 },
    });
    const first = hex('02000000ff00000100000000' + '08000f00ff000000' + '08000e00ffffffff' + '0500150002000000');
    expect(decodeRule(first)).to.deep.equal({ family: 'ipv4', priority: 0, table: 255, action: 'table', protocol: 2 });
  });

  it('about neighbours', () => {
    const message = hex('020000000300000080000001', '080001000a090009' + '0a00020002000000000700000800040000000000');
    expect(decodeNeighbour(message)).to.deep.equal({
      ...{ index: 3, family: 'ipv4', address: '10.9.0.9', state: 'permanent', proxy: false, router: false },
      hardwareAddress: '02:00:00:00:00:07',
    });
    expect(decodeNeighbour(hex('070000000300000080000000'))).to.equal(undefined);
  });
});

describe('encoding what is asked of the kernel', () => {
  const cases: [what: string, request: Request, header: string, attributes: string[]][] = [
    [
      'a veth pair with one end elsewhere',
      addVethRequest({ name: 'v0', mtu: 1400, peer: { name: 'e0', netns: 'x' } }, 9),
      '00'.repeat(16),
      [
        '0700030076300000' + '0800040078050000',
        // LINKINFO { KIND veth, DATA { PEER { header, IFNAME, MTU, NET_NS_FD } } }
        '40001200' + '090001007665746800000000' + '30000200' + '2c000100',
        '00'.repeat(16),
        '0700030065300000' + '0800040078050000' + '08001c0009000000',
      ],
    ],
    [
      'a link to go up, into a bridge',
      setLinkRequest(3, { up: true, master: 7 }),
      '00000000030000000100000001000000',
      ['08000a0007000000'],
    ],
    ['a link to go down', setLinkRequest(3, { up: false }), '00000000030000000000000001000000', []],
    [
      'a link to stay as it is',
      setLinkRequest(3, { mtu: 9000 }),
      '00000000030000000000000000000000',
      ['0800040028230000'],
    ],
    [
      'an IPv6 address without duplicate address detection',
      addAddressRequest({ index: 1, address: '2001:db8::1', prefixLength: 128, noDad: true }),
      '0a80000001000000',
      ['1400020020010db8000000000000000000000001', '1400010020010db8000000000000000000000001', '0800080002000000'],
    ],
    [
      'an address of this host only',
      deleteAddressRequest({ index: 1, address: '127.0.0.9', prefixLength: 8 }),
      '020800fe01000000',
      ['080002007f000009', '080001007f000009'],
    ],
    [
      'a default route: no destination',
      addRouteRequest({ family: 'ipv4', destination: '0.0.0.0', prefixLength: 0, gateway: '10.0.0.1' }, true),
      '02000000fe04000100000000',
      ['08000f00fe000000', '080005000a000001'],
    ],
    [
      'a route without gateway: scope link',
      addRouteRequest({ family: 'ipv4', destination: '10.0.0.9', prefixLength: 32, index: 3, table: 300 }, true),
      '022000000004fd0100000000',
      ['080001000a000009', '08000f002c010000', '0800040003000000'],
    ],
    [
      'deleting a route: any scope, type and origin',
      deleteRouteRequest({ family: 'ipv4', destination: '10.0.0.9', prefixLength: 32 }),
      '02200000fe00ff0000000000',
      ['080001000a000009', '08000f00fe000000'],
    ],
  ];
  for (const [what, request, header, attributes] of cases) {
    it(what, () => {
      expect(bodyHex(request)).to.equal(header + attributes.join(''));
    });
  }
});

const family = fc.constantFrom<Family>('ipv4', 'ipv6');
const address = (of: Family) =>
  of === 'ipv4' ? fc.ipV4() : fc.nat(0xffff).map((n) => `2001:db8:1::${(n | 1).toString(16)}`);
const u32 = fc.nat(0xffffffff);
const some: { requiredKeys: [] } = { requiredKeys: [] };

describe('codecs of rtnetlink', () => {
  it('return the route that was put in', () => {
    const route = family.chain((of) =>
      fc.tuple(
        fc.record({
          family: fc.constant(of),
          destination: address(of),
          prefixLength: fc.integer({ min: 1, max: of === 'ipv4' ? 32 : 128 }),
          table: u32,
          protocol: fc.nat(255),
          type: fc.constantFrom('unicast' as const, 'blackhole' as const, 'local' as const),
        }),
        fc.record(
          {
            gateway: address(of),
            index: fc.nat(0x7fffffff),
            source: address(of),
            metric: u32,
            onlink: fc.constant(true),
          },
          some,
        ),
      ),
    );
    fc.assert(
      fc.property(route, ([key, rest]) => {
        const { scope, ...decoded } = decodeRoute(Buffer.from(addRouteRequest({ ...key, ...rest }, true).body))!;
        expect(decoded).to.deep.equal({ ...key, ...rest });
      }),
    );
  });

  it('return the rule that was put in', () => {
    const rule = family.chain((of) => {
      const prefix = fc.record({ address: address(of), prefixLength: fc.integer({ min: 1, max: 32 }) });
      return fc.tuple(
        fc.record({ family: fc.constant(of), priority: u32, table: u32 }),
        fc.record(
          {
            ...{
              iifName: fc.constant('eth0'),
              oifName: fc.constant('eth1'),
              mark: u32,
              source: prefix,
              destination: prefix,
            },
            ...{ protocol: fc.nat(255), invert: fc.constant(true), suppressPrefixLength: fc.nat(32) },
          },
          some,
        ),
      );
    });
    fc.assert(
      fc.property(rule, ([key, rest]) => {
        expect(decodeRule(Buffer.from(addRuleRequest({ ...key, ...rest }).body))).to.deep.equal({
          ...key,
          ...rest,
          action: 'table',
        });
      }),
    );
  });

  it('return the neighbour that was put in', () => {
    const neighbour = family.chain((of) =>
      fc.record({
        index: fc.nat(0x7fffffff),
        address: address(of),
        hardwareAddress: fc.constant('02:00:00:00:00:01'),
        state: fc.constantFrom('permanent' as const, 'stale' as const, 'noarp' as const),
        proxy: fc.boolean(),
      }),
    );
    fc.assert(
      fc.property(neighbour, (options) => {
        expect(decodeNeighbour(Buffer.from(replaceNeighbourRequest(options).body))).to.include(options);
      }),
    );
  });

  it('end on any bytes, and complain in one way only', () => {
    const decoders = [decodeLink, decodeInterfaceAddress, decodeRoute, decodeRule, decodeNeighbour];
    const noise = fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes));
    // A header with a known family, then well-formed attributes of random types: this gets further.
    const shaped = fc
      .tuple(
        fc.constantFrom(2, 10),
        fc.uint8Array({ minLength: 15, maxLength: 15 }),
        fc.array(fc.tuple(fc.nat(25), fc.uint8Array({ maxLength: 20 })), { maxLength: 10 }),
      )
      .map(([familyNumber, header, list]) => {
        const encoder = new Encoder().raw(Buffer.from([familyNumber, ...header]));
        for (const [type, data] of list) encoder.binary(type, data);
        return Buffer.from(encoder.bytes());
      });
    fc.assert(
      fc.property(fc.oneof(noise, shaped), fc.nat(4), fc.constantFrom(0, 4, 8), (bytes, which, skip) => {
        // Headers are 8, 12 or 16 bytes long: cut the front so that the attributes follow directly.
        const message = Buffer.concat([bytes.subarray(0, 1), bytes.subarray(1 + skip)]);
        try {
          decoders[which]!(message);
        } catch (error) {
          expect(error).to.be.instanceOf(MalformedMessageError);
        }
      }),
      { numRuns: 3000 },
    );
  });
});
