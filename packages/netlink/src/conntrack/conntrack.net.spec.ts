/** Conntrack against the kernel. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { inNetns } from '@fairlead/raw-socket';
import { expect } from 'chai';
import { decodeMessages } from '../message.js';
import { NETLINK_NETFILTER } from '../netfilter/nfnetlink.js';
import { makeNetns, runIn } from '../netns.spec.helpers.js';
import { Rtnetlink } from '../route/rtnetlink.js';
import { openTransport } from '../transport.js';
import { Conntrack } from './conntrack.js';
import type { ConntrackEntry } from './types.js';

/** Two VIPs, each in front of two real servers; all on `lo`. */
const rules = `
table inet t {
  chain output {
    type nat hook output priority -100;
    ip daddr 10.0.0.100 udp dport 53 dnat ip to numgen inc mod 2 map { 0 : 10.0.0.1, 1 : 10.0.0.2 } : 30053
    ip6 daddr 2001:db8::100 udp dport 53 dnat ip6 to [2001:db8::1]:30053
    ip daddr 10.0.0.101 udp dport 53 counter
  }
  chain postrouting {
    type nat hook postrouting priority 100;
    ip daddr 10.0.0.3 udp dport 7 snat ip to 10.0.0.100:5000-5001
  }
}
`;

describe('Conntrack on the running kernel', function (this: Mocha.Suite) {
  this.timeout(60_000);
  let netns: ReturnType<typeof makeNetns>;
  let conntrack: Conntrack;

  beforeEach(() => {
    netns = makeNetns();
    const rtnetlink = new Rtnetlink({ netns: netns.name });
    rtnetlink.setLink(1, { up: true });
    for (const n of [1, 2, 3, 100, 101]) rtnetlink.addAddress({ index: 1, address: `10.0.0.${n}`, prefixLength: 32 });
    for (const n of [1, 100]) {
      rtnetlink.addAddress({ index: 1, address: `2001:db8::${n}`, prefixLength: 128, noDad: true });
    }
    rtnetlink.close();
    execFileSync('nsenter', [`--net=/run/netns/${netns.name}`, '--', 'nft', '-f', '-'], { input: rules });
    conntrack = new Conntrack({ netns: netns.name });
  });

  afterEach(() => {
    conntrack.close();
    netns.delete();
  });

  /** `count` datagrams, each from a port of its own. */
  const send = (address: string, port: number, count = 1) =>
    runIn(
      netns.name,
      'bash',
      '-c',
      `for i in $(seq ${count}); do echo > /dev/udp/${address}/${port}; done 2>/dev/null`,
    );
  const udp = ({ original }: ConntrackEntry) => original.protocol === 'udp';

  it('lists both directions of a translated connection, in both families', () => {
    send('10.0.0.100', 53);
    send('2001:db8::100', 53);
    const entries = conntrack.list().filter(udp);
    expect(
      entries.map(({ family, original, reply }) => ({
        family,
        to: `${original.destination} ${original.destinationPort}`,
        from: `${reply.source} ${reply.sourcePort}`,
      })),
    ).to.have.deep.members([
      { family: 'ipv4', to: '10.0.0.100 53', from: '10.0.0.1 30053' },
      { family: 'ipv6', to: '2001:db8::100 53', from: '2001:db8::1 30053' },
    ]);
    for (const { original, reply, timeoutSeconds, id } of entries) {
      expect(reply.destinationPort).to.equal(original.sourcePort);
      expect(timeoutSeconds).to.be.within(1, 600);
      expect(id).to.be.greaterThan(0);
    }
  });

  it('finds connections by what the client asked for, and by where they went', () => {
    send('10.0.0.100', 53, 4);
    send('10.0.0.101', 53, 3);
    const count = (filter: Parameters<Conntrack['list']>[0]) => conntrack.list(filter).length;
    expect(count({ protocol: 'udp', original: { destination: '10.0.0.100', destinationPort: 53 } })).to.equal(4);
    expect(count({ protocol: 'udp', original: { destinationPort: 53 } })).to.equal(7);
    expect(count({ protocol: 'tcp', original: { destination: '10.0.0.100' } })).to.equal(0);
    expect(count({ protocol: 'udp', reply: { source: '10.0.0.2', sourcePort: 30053 } })).to.equal(2);
    expect(count({ protocol: 'udp', original: { destination: '10.0.0.100', destinationPort: 54 } })).to.equal(0);
    expect(count({ reply: { source: '10.0.0.1' } })).to.equal(2);
    expect(count({ family: 'ipv6', protocol: 'udp' })).to.equal(0);
  });

  it('lets the kernel compare, so that only what is asked for is read', () => {
    send('10.0.0.100', 53, 5);
    const kernel = openTransport({ protocol: NETLINK_NETFILTER, netns: netns.name });
    let messages = 0;
    const receive = kernel.receive.bind(kernel);
    kernel.receive = () => {
      const datagrams = receive();
      for (const { data } of datagrams) messages += decodeMessages(data).length;
      return datagrams;
    };
    const watched = new Conntrack({ transport: kernel });
    try {
      const filter = { original: { destination: '10.0.0.100', destinationPort: 53 }, reply: { source: '10.0.0.1' } };
      const found = watched.list({ protocol: 'udp', ...filter }).length;
      expect(found).to.be.within(2, 3);
      // And the end of the dump.
      expect(messages).to.equal(found + 1);
    } finally {
      watched.close();
    }
  });

  it('refuses a filter that can never hold', () => {
    expect(() =>
      conntrack.list({ original: { destination: '10.0.0.100' }, reply: { source: '2001:db8::1' } }),
    ).to.throw(TypeError, 'mixes');
  });

  it('deletes the connections of one real server of one virtual server, and no other', () => {
    send('10.0.0.100', 53, 10);
    send('10.0.0.101', 53, 2);
    const deleted = conntrack.delete({
      protocol: 'udp',
      original: { destination: '10.0.0.100', destinationPort: 53 },
      reply: { source: '10.0.0.1', sourcePort: 30053 },
    });
    expect(deleted).to.equal(5);
    expect(conntrack.list({ protocol: 'udp', original: { destination: '10.0.0.100' } })).to.have.length(5);
    expect(conntrack.list({ protocol: 'udp', reply: { source: '10.0.0.1' } })).to.deep.equal([]);
    expect(conntrack.list({ protocol: 'udp', original: { destination: '10.0.0.101' } })).to.have.length(2);
    expect(conntrack.delete({ protocol: 'udp', reply: { source: '10.0.0.1' } })).to.equal(0);
  });

  it('deletes what has no ports', () => {
    runIn(netns.name, 'ping', '-c', '1', '-W', '1', '10.0.0.1');
    const [entry] = conntrack.list({ protocol: 'icmp' });
    expect(entry?.original.icmp).to.include({ type: 8, code: 0 });
    expect(conntrack.delete({ protocol: 'icmp' })).to.equal(1);
  });

  it('refuses to delete without saying what', () => {
    expect(() => conntrack.delete({})).to.throw(TypeError, 'needs a filter');
    expect(() => conntrack.delete({ original: { destinationPort: 53 } })).to.throw(TypeError, 'protocol');
    expect(() => conntrack.delete({ original: { destination: 'web' } })).to.throw(TypeError);
  });

  it('counts as the kernel does', () => {
    send('10.0.0.100', 53, 6);
    const read = (path: string) => inNetns(netns.name, () => Number(readFileSync(path, 'utf8')));
    expect(conntrack.count()).to.deep.equal({
      entries: read('/proc/sys/net/netfilter/nf_conntrack_count'),
      maximum: read('/proc/sys/net/netfilter/nf_conntrack_max'),
    });
    expect(conntrack.count().entries).to.be.at.least(6);
  });

  it('counts new connections that find no port for SNAT', () => {
    const total = (name: 'insertFailed' | 'drop' | 'clashResolve') =>
      conntrack.stats().reduce((sum, cpu) => sum + cpu[name], 0);
    send('10.0.0.3', 7, 2);
    expect(total('drop') + total('insertFailed') + total('clashResolve')).to.equal(0);
    // The sender is told: EPERM.
    expect(() => send('10.0.0.3', 7, 5)).to.throw('Command failed');
    expect(total('insertFailed')).to.equal(5);
    expect(total('drop')).to.equal(5);
    expect(conntrack.list({ protocol: 'udp', reply: { destination: '10.0.0.100' } })).to.have.length(2);
  });
});
