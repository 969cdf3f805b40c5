/** What the sockets hear of VRRP, and what they do not heed: packets as they come out of a cable, good ones and such as nobody should believe. */

import { encodeAddress, type Family } from '@fairlead/netlink';
import { type Absorbed, inNetns } from '@fairlead/raw-socket';
import { expect } from 'chai';
import { Cable } from '../wire/cable.spec.helpers.js';
import { internetChecksum } from '../wire/checksum.js';
import { encodeAdvertisement, VRRP_PROTOCOL } from './advertisement.js';
import { VrrpTransport } from './transport.js';

type Mode = 'unicast' | 'multicast';

interface Sent {
  /** The last number of the sender's address. */
  from: number;
  hopLimit: number;
  priority: number;
  /** Of IPv4's header (RFC 791 §3.1); default 0. */
  identification?: number;
  /** To be spoilt on the way. */
  bit?: true;
}

const GROUPS = {
  ipv4: { address: '224.0.0.18', mac: '01005e000012' },
  ipv6: { address: 'ff02::12', mac: '333300000012' },
};
const VIPS = { ipv4: '10.77.0.200', ipv6: 'fd00:77::c8' };
/** The last one that is sent, and to be heard: what was heard before it is all that was heard. */
const LAST = 99;

describe('what is heard of VRRP', function () {
  this.timeout(30_000);
  let cable: Cable;
  beforeEach(() => {
    cable = new Cable((it) => {
      it.ip('here', 'address add 10.77.0.11/24 dev eth0');
      it.ip('here', 'address add fd00:77::11/64 dev eth0 nodad');
      it.ip('here', 'address add fe80::11/64 dev eth0 nodad');
    });
  });
  afterEach(() => cable.close());

  for (const family of ['ipv4', 'ipv6'] as const) {
    for (const [mode, what, wrong, verdict] of [
      ['unicast', 'of a station that is no node of the cluster', { from: 13 }, 'sender'],
      ['unicast', 'that was spoilt on its way', { bit: true }, 'checksum'],
      ['multicast', 'that has passed a router', { hopLimit: 254 }, 'ttl'],
      ['multicast', 'that was spoilt on its way', { bit: true }, 'checksum'],
    ] as const) {
      it(`is not what is sent by ${mode} over ${family} ${what}`, async () => {
        const { heard, faults, cameInBy } = await hear(family, mode, [
          { from: 12, hopLimit: 255, priority: 100 },
          { from: 12, hopLimit: 255, priority: 200, ...wrong },
        ]);
        const peer = senderOf(family, mode, 12);
        expect(heard).to.deep.equal([`100 ${peer}`]);
        expect([...cameInBy]).to.deep.equal([mode === 'multicast' ? 'eth0' : undefined]);
        expect(faults).to.deep.equal([`${verdict} ${'from' in wrong ? senderOf(family, mode, wrong.from) : peer}`]);
      });
    }

    it(`is each advertisement of a peer, the same one again included, over ${family}`, async () => {
      const one = { from: 12, hopLimit: 255, priority: 100 };
      const { heard } = await hear(family, 'unicast', [one, one, { ...one, priority: 0 }, one]);
      const peer = senderOf(family, 'unicast', 12);
      expect(heard).to.deep.equal([`100 ${peer}`, `100 ${peer}`, `0 ${peer}`, `100 ${peer}`]);
    });
  }

  for (const [family, mode] of [
    ['ipv4', 'unicast'],
    ['ipv6', 'unicast'],
    ['ipv4', 'multicast'],
  ] as const) {
    const peer = senderOf(family, mode, 12);
    const one = { from: 12, hopLimit: 255, priority: 100 };

    it(`is told once of what is absorbed, and can be asked for it (${mode} over ${family})`, async () => {
      const { heard, cameAgain } = await hear(family, mode, [one, { ...one, identification: 4711 }, one], true);
      expect({ heard, cameAgain }).to.deep.equal({ heard: [`100 ${peer}`], cameAgain: true });
    });

    it(`is told of what differs in a bit from what is absorbed (${mode} over ${family})`, async () => {
      const { faults, cameAgain } = await hear(family, mode, [one, { ...one, bit: true }], true);
      expect({ faults, cameAgain }).to.deep.equal({ faults: [`checksum ${peer}`], cameAgain: false });
    });
  }

  it('absorbs nothing where the hop limit does not come with the packet (multicast over ipv6)', async () => {
    const one = { from: 12, hopLimit: 255, priority: 100 };
    const { heard, faults, cameAgain } = await hear('ipv6', 'multicast', [one, one, { ...one, hopLimit: 254 }], true);
    const peer = senderOf('ipv6', 'multicast', 12);
    expect({ heard, faults, cameAgain }).to.deep.equal({
      heard: [`100 ${peer}`, `100 ${peer}`],
      faults: [`ttl ${peer}`],
      cameAgain: undefined,
    });
  });

  it('is told that nothing is repeated any more when sockets are closed, and not of what was ended before', () => {
    const transport = new VrrpTransport({
      mode: 'unicast',
      onReceived: () => {},
      onFault: () => {},
      onError: () => {},
    });
    const self = ['10.77.0.11', 'fd00:77::11'];
    const addresses = [encodeAddress(VIPS.ipv4)];
    const outgoing = [
      { advertisement: { virtualRouterId: 7, priority: 100, intervalMs: 100, addresses }, checksum: 'rfc9568' },
    ] as const;
    const missed: string[] = [];
    const begin = (name: string, family: Family) => {
      const repetition = { everyMs: 60_000, withinMs: 60_000 };
      return transport.repeat(outgoing, { family, uplink: 'eth0' }, repetition, () => missed.push(name));
    };
    try {
      inNetns(cable.here, () => {
        transport.configure({ uplinks: [], self, peers: ['10.77.0.12', 'fd00:77::12'] });
        const [ended, ...others] = [begin('ended', 'ipv4'), begin('one', 'ipv4'), begin('another', 'ipv6')];
        ended!.end();
        transport.configure({ uplinks: [], self, peers: ['10.77.0.13'] });
        expect(missed).to.deep.equal(['one', 'another']);
        for (const repeated of others) {
          expect(repeated.since()).to.be.at.least(0);
          repeated.end();
        }
      });
    } finally {
      transport.close();
    }
    expect(missed).to.deep.equal(['one', 'another']);
  });

  /** What our end makes of these, one after the other. `absorbs`: the first one, when it comes again. */
  async function hear(family: Family, mode: Mode, sent: readonly Sent[], absorbs = false) {
    const heard: string[] = [];
    const faults: string[] = [];
    const cameInBy = new Set<string | undefined>();
    let absorbed: Absorbed | undefined;
    let begin = () => {};
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    let done = () => {};
    const last = new Promise<void>((resolve) => {
      done = resolve;
    });
    const transport = new VrrpTransport({
      mode,
      onReceived: ({ advertisement: { priority }, from, uplink }, absorb) => {
        cameInBy.add(uplink);
        if (priority === LAST) done();
        else if (heard.push(`${priority} ${from}`) === 1 && absorbs) absorbed = absorb?.();
        begin();
      },
      onFault: (fault, from) => faults.push(`${fault} ${from}`),
      onError: (error) => faults.push(error.message),
    });
    transport.configure({
      uplinks: [{ name: 'eth0', index: cable.index('here', 'eth0'), addresses: ['10.77.0.11', 'fe80::11'] }],
      self: ['10.77.0.11', 'fd00:77::11'],
      peers: ['10.77.0.12', 'fd00:77::12'],
    });
    try {
      inNetns(cable.here, () => transport.open({ family, uplink: 'eth0' }));
      for (const one of [...sent, { from: 12, hopLimit: 255, priority: LAST }]) {
        cable.send(frame(family, mode, one));
        if (one === sent[0]) await begun;
      }
      await last;
      return { heard, faults, cameInBy, cameAgain: absorbed && absorbed.since() !== undefined };
    } finally {
      transport.close();
    }
  }

  function frame(family: Family, mode: Mode, { from, hopLimit, priority, identification = 0, bit }: Sent): Buffer {
    const isMulticast = mode === 'multicast';
    const ours = family === 'ipv4' ? '10.77.0.11' : 'fd00:77::11';
    const path = {
      source: encodeAddress(senderOf(family, mode, from)),
      destination: encodeAddress(isMulticast ? GROUPS[family].address : ours),
    };
    const addresses = [encodeAddress(VIPS[family])];
    const message = encodeAdvertisement({ virtualRouterId: 7, priority, intervalMs: 100, addresses }, path);
    if (bit) message[message.length - 1]! ^= 1;
    const header = family === 'ipv4' ? ipv4Header(message, hopLimit) : ipv6Header(message, hopLimit);
    header.set(path.source, header.length - 2 * path.source.length);
    header.set(path.destination, header.length - path.destination.length);
    if (family === 'ipv4') {
      header.writeUInt16BE(identification, 4);
      header.writeUInt16BE(internetChecksum(header), 10);
    }
    const to = isMulticast ? Buffer.from(GROUPS[family].mac, 'hex') : cable.mac('here');
    const type = Buffer.from(family === 'ipv4' ? '0800' : '86dd', 'hex');
    return Buffer.concat([to, cable.mac('there'), type, header, message]);
  }
});

/** Over IPv6, multicast is between link-local addresses. */
function senderOf(family: Family, mode: Mode, number: number): string {
  if (family === 'ipv4') return `10.77.0.${number}`;
  return mode === 'multicast' ? `fe80::${number}` : `fd00:77::${number}`;
}

/** RFC 791, but for addresses and checksum. */
function ipv4Header({ length }: Buffer, hopLimit: number): Buffer {
  const header = Buffer.alloc(20);
  header[0] = 0x45;
  header.writeUInt16BE(header.length + length, 2);
  header[8] = hopLimit;
  header[9] = VRRP_PROTOCOL;
  return header;
}

/** RFC 8200, but for addresses. */
function ipv6Header({ length }: Buffer, hopLimit: number): Buffer {
  const header = Buffer.alloc(40);
  header[0] = 0x60;
  header.writeUInt16BE(length, 4);
  header[6] = VRRP_PROTOCOL;
  header[7] = hopLimit;
  return header;
}
