/** Nftables against the kernel, and against what nft says about it. */
import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import type { NetlinkError } from '../errors.js';
import { NETLINK_NETFILTER } from '../netfilter/nfnetlink.js';
import { makeNetns, runIn } from '../netns.spec.helpers.js';
import { openTransport } from '../transport.js';
import { NftError } from './errors.js';
import { Nftables } from './nftables.js';
import { keyName, type NftElementOptions, type NftTable } from './types.js';

const table: NftTable = { family: 'inet', name: 't' };

const declarations = `
add table inet t
add set inet t services { type ipv4_addr . inet_proto . inet_service; }
add set inet t sources { type ipv4_addr . inet_proto . inet_service . ipv4_addr; flags interval; counter; }
add set inet t sources6 { type ipv6_addr . inet_proto . inet_service . ipv6_addr; flags interval; }
add set inet t networks { type ipv4_addr; flags interval; }
add set inet t ports { type inet_service; flags timeout; timeout 1h; }
add set inet t small { type ipv4_addr; size 2; }
add set inet t odd { type ifname; }
add map inet t snat6 { type ipv6_addr : ipv6_addr; }
add map inet t target { type ipv4_addr . inet_service : ipv4_addr . inet_service; }
add map inet t dispatch { type ipv4_addr : verdict; }
add chain inet t web
`;

function thrown(call: () => unknown): NftError {
  try {
    call();
  } catch (error) {
    return error as NftError;
  }
  throw new Error('nothing was thrown');
}

const byKey = (x: NftElementOptions, y: NftElementOptions) => (keyName(x.key) < keyName(y.key) ? -1 : 1);

describe('Nftables on the running kernel', function (this: Mocha.Suite) {
  this.timeout(60_000);
  let netns: ReturnType<typeof makeNetns>;
  let nftables: Nftables;

  beforeEach(() => {
    netns = makeNetns();
    nft(declarations);
    nftables = new Nftables({ netns: netns.name });
  });

  afterEach(() => {
    nftables.close();
    netns.delete();
  });

  const nft = (script: string) =>
    execFileSync('nsenter', [`--net=/run/netns/${netns.name}`, '--', 'nft', '-f', '-'], { input: script });
  /** What nft lists between `elements = {` and `}`, on one line. */
  const listed = (kind: 'set' | 'map', name: string) =>
    /elements = \{\s*([^}]*?)\s*\}/
      .exec(runIn(netns.name, 'nft', '-nn', 'list', kind, 'inet', 't', name))?.[1]
      ?.replace(/\s+/g, ' ') ?? '';
  const add = (set: string, ...elements: NftElementOptions[]) =>
    nftables.apply([{ kind: 'add', table, set, elements }]);

  const cases: { set: string; kind: 'set' | 'map'; elements: NftElementOptions[]; text: string }[] = [
    { set: 'services', kind: 'set', elements: [{ key: ['10.0.0.1', 'tcp', 80] }], text: '10.0.0.1 . 6 . 80' },
    {
      set: 'sources',
      kind: 'set',
      elements: [{ key: ['10.0.0.1', 'udp', 53, '192.168.0.0/16'] }],
      text: '10.0.0.1 . 17 . 53 . 192.168.0.0/16 counter packets 0 bytes 0',
    },
    {
      set: 'sources',
      kind: 'set',
      elements: [{ key: ['10.0.0.1', 'sctp', '80-90', '0.0.0.0/0'] }],
      text: '10.0.0.1 . 132 . 80-90 . 0.0.0.0/0 counter packets 0 bytes 0',
    },
    {
      set: 'sources6',
      kind: 'set',
      elements: [{ key: ['2001:db8::1', 'tcp', 443, '2001:db8:a::/47'] }],
      text: '2001:db8::1 . 6 . 443 . 2001:db8:a::/47',
    },
    {
      set: 'networks',
      kind: 'set',
      elements: [{ key: ['10.0.0.0/8'] }, { key: ['192.168.1.7'] }, { key: ['192.168.2.1-192.168.2.6'] }],
      text: '10.0.0.0/8, 192.168.1.7, 192.168.2.1-192.168.2.6',
    },
    { set: 'networks', kind: 'set', elements: [{ key: ['0.0.0.0/0'] }], text: '0.0.0.0/0' },
    {
      set: 'snat6',
      kind: 'map',
      elements: [{ key: ['2001:db8::1'], value: ['2001:db8::2'] }],
      text: '2001:db8::1 : 2001:db8::2',
    },
    {
      set: 'target',
      kind: 'map',
      elements: [{ key: ['10.0.0.1', 80], value: ['10.0.0.2', 30080] }],
      text: '10.0.0.1 . 80 : 10.0.0.2 . 30080',
    },
    {
      set: 'dispatch',
      kind: 'map',
      elements: [{ key: ['10.0.0.1'], value: { verdict: 'goto', chain: 'web' } }],
      text: '10.0.0.1 : goto web',
    },
  ];
  for (const { set, kind, elements, text } of cases) {
    it(`writes ${text} as nft does, reads it back, and deletes it`, () => {
      add(set, ...elements);
      expect(listed(kind, set)).to.equal(text);
      const counter = text.includes('counter') ? { counter: { packets: 0n, bytes: 0n } } : {};
      expect(nftables.elements(table, set).sort(byKey)).to.deep.equal(
        elements.map((element) => ({ ...element, ...counter })),
      );
      nftables.apply([{ kind: 'delete', table, set, elements }]);
      expect(listed(kind, set)).to.equal('');
      expect(nftables.elements(table, set)).to.deep.equal([]);
    });

    it(`reads ${text} as nft has written it`, () => {
      nft(`add element inet t ${set} { ${text} }`);
      expect(
        nftables
          .elements(table, set)
          .map(({ key }) => key)
          .sort(),
      ).to.deep.equal(elements.map(({ key }) => key));
    });
  }

  it('joins ranges that touch at most as nft itself does', () => {
    add('networks', { key: ['10.0.0.0/24'] }, { key: ['10.0.1.0/24'] }, { key: ['255.255.255.255'] });
    expect(nftables.elements(table, 'networks').map(({ key }) => key[0])).to.deep.equal([
      '10.0.0.0/24',
      '10.0.1.0/24',
      '255.255.255.255',
    ]);
  });

  it('tells how sets are declared', () => {
    expect(nftables.set(table, 'sources')).to.deep.equal({
      table,
      name: 'sources',
      keyType: ['ipv4_addr', 'inet_proto', 'inet_service', 'ipv4_addr'],
      interval: true,
      timeout: false,
    });
    expect(nftables.set(table, 'dispatch')?.valueType).to.equal('verdict');
    expect(nftables.set(table, 'target')?.valueType).to.deep.equal(['ipv4_addr', 'inet_service']);
    expect(nftables.set(table, 'none')).to.equal(undefined);
    expect(nftables.sets(table).map(({ name }) => name)).to.include.members(['services', 'dispatch', 'odd']);
    expect(nftables.sets({ family: 'ip', name: 'none' })).to.deep.equal([]);
  });

  it('gets one element, and in a set of ranges the one around the key', () => {
    add('services', { key: ['10.0.0.1', 'tcp', 80] });
    add('sources', { key: ['10.0.0.1', 'tcp', 80, '192.168.0.0/16'] });
    expect(nftables.element(table, 'services', ['10.0.0.1', 'tcp', 80])).to.deep.equal({
      key: ['10.0.0.1', 'tcp', 80],
    });
    expect(nftables.element(table, 'services', ['10.0.0.1', 'tcp', 81])).to.equal(undefined);
    expect(nftables.element(table, 'sources', ['10.0.0.1', 'tcp', 80, '192.168.3.4'])?.key).to.deep.equal([
      '10.0.0.1',
      'tcp',
      80,
      '192.168.0.0/16',
    ]);
  });

  it('keeps timeouts', () => {
    add('ports', { key: [80], timeoutMs: 90_000 }, { key: [81] });
    const [first, second] = nftables.elements(table, 'ports').sort(byKey);
    expect(first?.timeoutMs).to.equal(90_000);
    expect(first?.expiresMs).to.be.within(1, 90_000);
    expect(second?.expiresMs).to.be.within(90_000, 3_600_000);
  });

  it('counts add of what is there as done, and create as refused', () => {
    const element = { key: ['10.0.0.1', 'tcp', 80] };
    add('services', element);
    add('services', element);
    const error = thrown(() => nftables.apply([{ kind: 'create', table, set: 'services', elements: [element] }]));
    expect(error).to.be.instanceOf(NftError);
    expect(error.message).to.equal(
      'create element in inet t services: 10.0.0.1 . tcp . 80: EEXIST: it exists already; nothing of the transaction was done',
    );
    add('snat6', { key: ['2001:db8::1'], value: ['2001:db8::2'] });
    expect(thrown(() => add('snat6', { key: ['2001:db8::1'], value: ['2001:db8::3'] })).code).to.equal('EEXIST');
  });

  it('does nothing of a transaction in which one element is refused, and says which one', () => {
    const elements = Array.from({ length: 250 }, (_, i) => ({ key: ['10.0.0.1', 'tcp', i + 1] }));
    add('services', ...elements.slice(0, 220));
    const error = thrown(() =>
      nftables.apply([
        { kind: 'add', table, set: 'services', elements: [{ key: ['10.0.0.2', 'tcp', 80] }] },
        { kind: 'delete', table, set: 'services', elements },
        { kind: 'delete', table, set: 'services', elements: [{ key: ['10.0.0.3', 'tcp', 80] }] },
      ]),
    );
    expect(error.code).to.equal('ENOENT');
    expect(error.failures.map(({ operation, element }) => ({ operation, element }))).to.deep.equal([
      { operation: 1, element: 220 },
      { operation: 2, element: 0 },
    ]);
    expect(error.message).to.contain('10.0.0.1 . tcp . 221: ENOENT: there is no such element');
    expect(nftables.elements(table, 'services')).to.have.length(220);
  });

  it('names what it was refused for', () => {
    expect(thrown(() => add('none', { key: ['10.0.0.1'] })).message).to.equal(
      'use set inet t none: ENOENT: there is no such table or set',
    );
    expect(thrown(() => add('odd', { key: ['eth0'] })).code).to.equal('FL_NFT_TYPE');
    expect(
      thrown(() => add('dispatch', { key: ['10.0.0.1'], value: { verdict: 'jump', chain: 'gone' } })).code,
    ).to.equal('ENOENT');
    expect(
      thrown(() => add('small', { key: ['10.0.0.1'] }, { key: ['10.0.0.2'] }, { key: ['10.0.0.3'] })).failures[0],
    ).to.include({ operation: 0, element: 2 });
    add('networks', { key: ['10.0.0.0/8'] });
    expect(thrown(() => add('networks', { key: ['10.1.0.0/16'] })).message).to.contain('overlap');
  });

  it('refuses what does not fit the set before anything is sent', () => {
    expect(() => add('services', { key: ['10.0.0.1', 'tcp'] })).to.throw(TypeError, '2 fields');
    expect(() => add('services', { key: ['10.0.0.1', 'tcp', 70_000] })).to.throw(RangeError);
    expect(() => add('services', { key: ['10.0.0.0/8', 'tcp', 80] })).to.throw(TypeError);
    expect(() => add('services', { key: ['10.0.0.1', 'tcp', 80], value: ['10.0.0.2'] })).to.throw(TypeError);
  });

  it('empties a set, also one that is empty', () => {
    nftables.apply([{ kind: 'flush', table, set: 'services' }]);
    add('services', { key: ['10.0.0.1', 'tcp', 80] });
    nftables.apply([
      { kind: 'flush', table, set: 'services' },
      { kind: 'add', table, set: 'services', elements: [{ key: ['10.0.0.2', 'tcp', 80] }] },
    ]);
    expect(nftables.elements(table, 'services').map(({ key }) => key[0])).to.deep.equal(['10.0.0.2']);
  });

  it('writes and reads 100,000 elements in one transaction', () => {
    const elements = Array.from({ length: 100_000 }, (_, i) => ({
      key: [`10.${i >> 16}.${(i >> 8) & 0xff}.${i & 0xff}`, 'tcp', 80],
    }));
    add('services', ...elements);
    expect(nftables.elements(table, 'services').sort(byKey)).to.deep.equal(elements.sort(byKey));
    nftables.apply([{ kind: 'delete', table, set: 'services', elements }]);
    expect(nftables.elements(table, 'services')).to.deep.equal([]);
  });

  it('sends at once what is larger than the send buffer', () => {
    const kernel = openTransport({ protocol: NETLINK_NETFILTER, netns: netns.name });
    const usual = kernel.sendBufferBytes;
    const own = new Nftables({ transport: kernel });
    try {
      const element = { key: ['10.0.0.1', 'tcp', 80] };
      // 24 bytes each.
      const elements = Array.from({ length: usual / 24 }, () => element);
      own.apply([{ kind: 'add', table, set: 'services', elements }]);
      expect(kernel.sendBufferBytes).to.be.greaterThan(usual);
      expect(own.elements(table, 'services')).to.deep.equal([element]);
    } finally {
      own.close();
    }
  });

  it('reads a whole set while another program changes the ruleset', () => {
    const elements = Array.from({ length: 5_000 }, (_, i) => ({ key: [`10.0.${i >> 8}.${i & 0xff}`, 'tcp', 80] }));
    add('services', ...elements);
    const disturber = execFileSync('sh', [
      '-c',
      `(for i in $(seq 20); do nsenter --net=/run/netns/${netns.name} nft add rule inet t web counter; done) >/dev/null 2>&1 & echo $!`,
    ]);
    expect(Number(disturber)).to.be.greaterThan(0);
    for (let i = 0; i < 20; i++) {
      let read: number;
      try {
        read = nftables.elements(table, 'services').length;
      } catch (error) {
        if ((error as NetlinkError).code !== 'FL_DUMP_INTERRUPTED') throw error;
        continue;
      }
      expect(read).to.equal(5_000);
    }
  });
});
