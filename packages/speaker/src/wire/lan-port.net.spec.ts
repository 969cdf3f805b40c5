/** The wire's sockets against the kernel of a real neighbour. */

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect } from 'chai';
import { Cable } from './cable.spec.helpers.js';
import { formatMac } from './mac.js';

const VIPS = ['10.77.0.200', 'fd00:77::c8'];
const vip = (address: string) => ({ address, uplink: 'eth0' });

describe('the sockets on a LAN interface', function () {
  this.timeout(60_000);
  let cable: Cable;

  beforeEach(() => {
    cable = new Cable((it) => {
      it.ip('there', 'address add fd00:77::64/64 dev eth0 nodad');
      it.ip('there', 'address add 10.77.0.100/24 dev eth0');
    });
    cable.own(VIPS);
  });
  afterEach(() => cable.close());

  /** What the neighbour's kernel knows about an address after it has asked. */
  async function resolve(address: string): Promise<{ state: string; mac: string | undefined }> {
    const ping = spawn('ip', ['netns', 'exec', cable.there, 'ping', '-c1', '-W2', address], { stdio: 'ignore' });
    await once(ping, 'exit');
    const json = execFileSync('ip', ['-n', cable.there, '-j', 'neigh', 'show', address], { encoding: 'utf8' });
    const [entry] = JSON.parse(json) as { state: string[]; lladdr?: string }[];
    return { state: entry?.state[0] ?? 'NONE', mac: entry?.lladdr };
  }

  for (const address of VIPS) {
    it(`answers the kernel of a neighbour that asks for ${address}`, async () => {
      expect((await resolve(address)).mac).to.equal(formatMac(cable.mac('here')));
      expect(cable.errors).to.deep.equal([]);
    });

    it(`leaves a neighbour that asks for ${address} without an answer when it is not the owner`, async () => {
      cable.isOwner = false;
      expect((await resolve(address)).state).to.be.oneOf(['FAILED', 'INCOMPLETE']);
    });
  }

  it('is a member of the groups that its IPv6 VIPs are asked by, and no longer when they go', () => {
    const uplinks = [{ name: 'eth0', index: cable.index('here', 'eth0'), addresses: [] }];
    const groups = () =>
      execFileSync('ip', ['-n', cable.here, '-6', 'maddr', 'show', 'dev', 'eth0'], { encoding: 'utf8' }).match(
        /ff02::1:ff\S+/g,
      ) ?? [];
    const ofMany = () => groups().filter((group) => group.startsWith('ff02::1:ff01:'));
    expect(groups()).to.include('ff02::1:ff00:c8');
    const many = Array.from({ length: 300 }, (_, n) => vip(`fd00:77::1:${n.toString(16)}`));
    // It has the group of another address.
    const alike = vip('fd00:78::1:0');
    cable.configure([...many, alike], uplinks);
    expect(groups()).to.not.include('ff02::1:ff00:c8');
    expect(ofMany()).to.have.length(300);
    cable.configure([alike], uplinks);
    expect(ofMany()).to.deep.equal(['ff02::1:ff01:0']);
    cable.configure([], uplinks);
    expect(ofMany()).to.deep.equal([]);
    expect(cable.errors).to.deep.equal([]);
  });
});
