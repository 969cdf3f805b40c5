import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { DEFAULT_ANNOUNCEMENT } from '@fairlead/api';
import { Rtnetlink } from '@fairlead/netlink';
import { createNetns, deleteNetns, inNetns } from '@fairlead/raw-socket';
import { expect } from 'chai';
import { LanPort } from './lan-port.js';
import { formatMac } from './mac.js';
import { vipKey } from './vip-key.js';
import { Wire } from './wire.js';

/** A client of the LAN (v6 address fd00:77::64) and a station with a wire, each in a namespace, on one cable. */
describe('the sockets on a LAN interface', function () {
  this.timeout(20_000);
  const id = randomBytes(3).toString('hex');
  const client = `fl-${id}-client`;
  const station = `fl-${id}-station`;
  const sockets: { close(): void }[] = [];
  let rtnetlink: Rtnetlink;
  let port: LanPort;
  let isOwner: boolean;
  let wire: Wire;
  const errors: string[] = [];

  beforeEach(() => {
    isOwner = true;
    errors.length = 0;
    for (const name of [client, station]) createNetns(name);
    rtnetlink = new Rtnetlink({ netns: client });
    const outside = rtnetlink.addVeth({ name: 'eth0', peer: { name: 'eth0', netns: `/run/netns/${station}` } });
    const inside = new Rtnetlink({ netns: station });
    const link = inside.link('eth0')!;
    inside.setLink(link.index, { up: true });
    rtnetlink.setLink(outside.index, { up: true });
    rtnetlink.addAddress({ index: outside.index, address: 'fd00:77::64', prefixLength: 64, noDad: true });
    rtnetlink.addAddress({ index: outside.index, address: '10.77.0.100', prefixLength: 24 });
    const uplink = { name: 'eth0', index: link.index, addresses: [] };
    wire = new Wire({
      election: { configure: () => {}, mayAnswer: () => isOwner, isUncertain: () => false, rivalHeard: () => {} },
      rules: { claim: () => {}, release: () => {}, list: () => [] },
      exits: { set: () => {}, forget: () => {} },
      silentMs: 0,
      clock: () => performance.now(),
      tell: (message) => message.kind === 'error' && errors.push(message.message),
      wakeAt: () => {},
      openPort: () => {
        port = inNetns(
          station,
          () =>
            new LanPort(uplink, {
              frame: (from, bytes) => wire.frame(from, bytes),
              error: (_, error) => errors.push(error.message),
            }),
        );
        // Memberships are joined later, by a socket that is opened then: in the namespace, too.
        const listenFor = port.listenFor.bind(port);
        port.listenFor = (...ips) => inNetns(station, () => listenFor(...ips));
        return port;
      },
    });
    sockets.push(rtnetlink, inside, wire);
    const vips = ['10.77.0.200', 'fd00:77::c8'].map((address) => ({ address, uplink: 'eth0' }));
    const router = { name: 'public.0', pool: 'public', leaseName: 'vr-public-0', table: 1, ranking: ['n1'] };
    wire.configure({
      changed: [
        { ...router, engine: 'lease', preempt: false, announcement: DEFAULT_ANNOUNCEMENT, added: vips, removed: [] },
      ],
      removed: [],
      uplinks: [uplink],
    });
    wire.own('public.0', undefined);
  });

  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.close();
    for (const name of [client, station]) deleteNetns(name);
  });

  /** What the client's kernel knows about an address after it has asked. */
  async function resolve(address: string): Promise<{ state: string; mac: string | undefined }> {
    const ping = spawn('ip', ['netns', 'exec', client, 'ping', '-c1', '-W2', address], { stdio: 'ignore' });
    await once(ping, 'exit');
    const json = execFileSync('ip', ['-n', client, '-j', 'neigh', 'show', address], { encoding: 'utf8' });
    const [entry] = JSON.parse(json) as { state: string[]; lladdr?: string }[];
    return { state: entry?.state[0] ?? 'NONE', mac: entry?.lladdr };
  }

  for (const address of ['10.77.0.200', 'fd00:77::c8']) {
    it(`answers the kernel of a neighbour that asks for ${address}`, async () => {
      const { mac } = await resolve(address);
      expect(mac).to.equal(formatMac(port.mac));
      expect(errors).to.deep.equal([]);
    });

    it(`leaves a neighbour that asks for ${address} without an answer when it is not the owner`, async () => {
      isOwner = false;
      expect((await resolve(address)).state).to.be.oneOf(['FAILED', 'INCOMPLETE']);
    });
  }

  it('is a member of the groups that its IPv6 VIPs are asked by, and no longer when they go', () => {
    const groups = () =>
      execFileSync('ip', ['-n', station, '-6', 'maddr', 'show', 'dev', 'eth0'], { encoding: 'utf8' }).match(
        /ff02::1:ff\S+/g,
      ) ?? [];
    expect(groups()).to.include('ff02::1:ff00:c8');
    const many = Array.from({ length: 300 }, (_, n) => vipKey(`fd00:77::1:${n.toString(16)}`) as string);
    // The first of them has the group of another address.
    port.listenFor([...many, vipKey('fd00:78::1:0') as string], [vipKey('fd00:77::c8') as string]);
    expect(groups()).to.not.include('ff02::1:ff00:c8');
    expect(groups().filter((group) => group.startsWith('ff02::1:ff01:'))).to.have.length(300);
    port.listenFor([], many);
    expect(groups().filter((group) => group.startsWith('ff02::1:ff01:'))).to.deep.equal(['ff02::1:ff01:0']);
    port.listenFor([], [vipKey('fd00:78::1:0') as string]);
    expect(groups().filter((group) => group.startsWith('ff02::1:ff01:'))).to.have.length(0);
  });
});
