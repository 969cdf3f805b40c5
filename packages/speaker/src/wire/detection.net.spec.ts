/** Duplicate address detection on a cable, with the kernel of another station at its other end. */

import { randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { DEFAULT_ANNOUNCEMENT } from '@fairlead/api';
import { Rtnetlink } from '@fairlead/netlink';
import { createNetns, deleteNetns, inNetns } from '@fairlead/raw-socket';
import { expect } from 'chai';
import { ASK_AGAIN_MS, DETECTION_MS } from './detection.js';
import { LanPort } from './lan-port.js';
import type { FromWire, VirtualRouterChange } from './messages.js';
import { Wire } from './wire.js';

const STATION_MAC = '02:66:66:66:66:66';
const ROUTER: VirtualRouterChange = {
  name: 'public.0',
  pool: 'public',
  leaseName: 'vr-public-0',
  table: 1,
  ranking: ['n1'],
  engine: 'lease',
  preempt: false,
  announcement: DEFAULT_ANNOUNCEMENT,
  removed: [],
  added: ['10.77.0.200', 'fd00:77::c8'].map((address) => ({ address, uplink: 'eth0' })),
};

describe('a VIP that is claimed for the first time', function () {
  this.timeout(60_000);
  const id = randomBytes(3).toString('hex');
  const elsewhere = `fl-${id}-other`;
  const here = `fl-${id}-here`;
  let station: Rtnetlink;
  let stationIndex: number;
  let own: Rtnetlink;
  let wire: Wire;
  let timer: NodeJS.Timeout | undefined;
  /** By how much the wire's clock is ahead of ours. */
  let ahead: number;
  let told: EventEmitter;

  beforeEach(() => {
    ahead = 0;
    told = new EventEmitter();
    for (const name of [elsewhere, here]) createNetns(name);
    station = new Rtnetlink({ netns: elsewhere });
    const peer = { name: 'eth0', netns: `/run/netns/${here}` };
    stationIndex = station.addVeth({ name: 'eth0', peer, address: STATION_MAC }).index;
    own = new Rtnetlink({ netns: here });
    const link = own.link('eth0')!;
    own.setLink(link.index, { up: true });
    station.setLink(stationIndex, { up: true });
    const uplink = { name: 'eth0', index: link.index, addresses: [] };
    const clock = () => performance.now() + ahead;
    wire = new Wire({
      election: { configure: () => {}, mayAnswer: () => true, isUncertain: () => false, rivalHeard: () => {} },
      rules: { claim: () => {}, release: () => {}, list: () => [] },
      exits: { own: () => {}, alone: () => {}, linger: () => {}, yield: () => {}, write: () => {} },
      expectNeighbour: () => {},
      aliveMs: () => 1_000,
      silentMs: 0,
      clock,
      tell: (message) => told.emit(message.kind === 'error' ? 'failure' : message.kind, message),
      wakeAt: (at) => {
        clearTimeout(timer);
        if (at !== undefined) timer = setTimeout(() => wire.announceDue(), Math.max(0, at - clock()));
      },
      openPort: () => {
        const port = inNetns(
          here,
          () => new LanPort(uplink, { frame: (from, bytes) => wire.frame(from, bytes), error: fail }),
        );
        const listenFor = port.listenFor.bind(port);
        port.listenFor = (...ips) => inNetns(here, () => listenFor(...ips));
        return port;
      },
    });
    wire.configure({ changed: [ROUTER], removed: [], uplinks: [uplink] });
  });

  afterEach(() => {
    clearTimeout(timer);
    for (const socket of [wire, station, own]) socket.close();
    for (const name of [elsewhere, here]) deleteNetns(name);
  });

  function fail(_: unknown, error: Error): void {
    told.emit('error', error);
  }

  async function next<K extends FromWire['kind']>(kind: K): Promise<FromWire & { kind: K }> {
    return (await once(told, kind))[0] as FromWire & { kind: K };
  }

  it('is announced when nobody answers', async () => {
    const before = performance.now();
    const announced = next('announced');
    wire.own('public.0', undefined, 'first');
    expect((await announced).addresses).to.deep.equal(['10.77.0.200', 'fd00:77::c8']);
    expect(performance.now() - before).to.be.at.least(DETECTION_MS - 1);
  });

  for (const [address, prefixLength, other] of [
    ['10.77.0.200', 24, 'fd00:77::c8'],
    ['fd00:77::c8', 64, '10.77.0.200'],
  ] as const) {
    it(`is left to the station whose kernel has ${address}, and claimed when that has gone`, async () => {
      station.addAddress({ index: stationIndex, address, prefixLength, noDad: true });
      const found = next('rival');
      const announced = next('announced');
      wire.own('public.0', undefined, 'first');
      expect(await found).to.deep.include({ address, mac: STATION_MAC, uplink: 'eth0', withheld: true });
      expect((await announced).addresses).to.deep.equal([other]);
      station.deleteAddress({ index: stationIndex, address, prefixLength });
      const claimed = next('announced');
      ahead += ASK_AGAIN_MS;
      wire.announceDue();
      expect((await claimed).addresses).to.deep.equal([address]);
    });
  }
});
