import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { LinkMonitor, Rtnetlink } from '@fairlead/netlink';
import { createNetns, deleteNetns, inNetns } from '@fairlead/raw-socket';
import { expect } from 'chai';
import { Director } from '../director/director.js';
import { DEFAULT_HOST_INTERFACE } from '../director/link.js';
import { DeadMansSwitch } from './dead-mans-switch.js';
import { HostRoutes } from './host-routes.js';

const hostNetns = `fl-switch-${process.pid}`;
const name = `${hostNetns}-dir`;
/** How often the sockets hold it. */
const EVERY_MS = 200;
const routers = [{ index: 3, vips: ['10.77.0.203', '10.77.0.211'] }];

describe('the dead man’s switch of a host', function () {
  this.timeout(60_000);
  let host: Rtnetlink;
  let director: Director;
  const closing: { close(): void }[] = [];
  const opened = <T extends { close(): void }>(thing: T): T => {
    closing.push(thing);
    return thing;
  };
  const ipv4 = () => host.addresses({ family: 'ipv4' }).find(({ address }) => address === '169.254.77.1');
  const ipv4Life = () => ipv4()!.validLifetimeSeconds;
  const vipRoutes = () => host.routes({ family: 'ipv4' }).filter(({ table }) => table === 7703).length;

  beforeEach(() => {
    createNetns(hostNetns);
    inNetns(hostNetns, () => writeFileSync('/proc/sys/net/ipv4/ip_forward', '1'));
    host = opened(new Rtnetlink({ netns: hostNetns }));
    director = opened(Director.ensure({ name, hostNetns }));
    opened(new HostRoutes({ hostNetns })).sync(routers);
  });
  afterEach(() => {
    for (const thing of closing.splice(0)) thing.close();
    deleteNetns(hostNetns);
    deleteNetns(name);
  });

  /** Resolves when the kernel has taken the address away. */
  function wentOff(): Promise<void> {
    return new Promise((resolve) => {
      opened(
        new LinkMonitor({
          netns: hostNetns,
          onEvent: (event) => {
            if (event.type === 'address-removed' && event.address.address === '169.254.77.1') resolve();
          },
        }),
      );
    });
  }

  /** Another address with a life of so long, in a place where nothing depends on it, tells when the time is over by the kernel's clock. */
  async function seconds(validLifetimeSeconds: number): Promise<void> {
    const { index } = host.addVeth({ name: 'clock0', peer: { name: 'clock1' } });
    const over = new Promise<void>((resolve) => {
      opened(
        new LinkMonitor({
          netns: hostNetns,
          onEvent: (event) => {
            if (event.type === 'address-removed' && event.address.address === '192.0.2.1') resolve();
          },
        }),
      );
    });
    host.addAddress({ index, address: '192.0.2.1', prefixLength: 24, validLifetimeSeconds });
    await over;
    host.deleteLink(index);
  }

  it('takes the routes of all VIPs away when nobody holds it any more, and everything can be put right again', async () => {
    const held = opened(new DeadMansSwitch({ director: name, hostNetns, seconds: 1 }));
    const off = wentOff();
    expect(held.hold()).to.equal(true);
    expect(vipRoutes()).to.equal(2);
    await off;
    expect(vipRoutes()).to.equal(0);
    expect(held.hold()).to.equal(false);

    opened(Director.ensure({ name, hostNetns }));
    const routes = opened(new HostRoutes({ hostNetns }));
    expect(routes.sync(routers).operations).to.equal(2);
    expect(held.hold()).to.equal(true);
    expect(vipRoutes()).to.equal(2);
  });

  it('has gone off when its interface is removed, at whatever moment it is held', async () => {
    const held = opened(new DeadMansSwitch({ director: name, hostNetns, seconds: 1 }));
    for (let times = 0; times < 5; times++) {
      opened(Director.ensure({ name, hostNetns }));
      expect(held.hold()).to.equal(true);
      const removed = promisify(execFile)('ip', ['-n', hostNetns, 'link', 'delete', DEFAULT_HOST_INTERFACE]);
      while (held.hold()) await turn();
      await removed;
      expect(held.hold()).to.equal(false);
    }
  });

  it('does not go off while it is held', async () => {
    const held = opened(new DeadMansSwitch({ director: name, hostNetns, seconds: 1 }));
    let off = false;
    void wentOff().then(() => {
      off = true;
    });
    held.hold();
    const longer = opened(new DeadMansSwitch({ director: name, hostNetns, seconds: 3_600 }));
    expect(longer.hold()).to.equal(true);
    await seconds(2);
    expect(off).to.equal(false);
    expect(vipRoutes()).to.equal(2);
  });

  it('is held by the sockets, once that was asked for', async () => {
    const held = opened(new DeadMansSwitch({ director: name, hostNetns, seconds: 1 }));
    expect(held.keepHolding(EVERY_MS)).to.equal(true);
    await seconds(3);
    expect(held.keepHolding(EVERY_MS)).to.equal(true);
    expect(vipRoutes()).to.equal(2);
    expect(ipv4Life()).to.equal(1);

    held.holdForGood();
    await seconds(1);
    expect(ipv4Life()).to.equal(undefined);
  });

  it('goes off though the sockets hold it when their thread stands still, and they do not put back what is gone', async () => {
    const held = opened(new DeadMansSwitch({ director: name, hostNetns, seconds: 1 }));
    expect(held.keepHolding(EVERY_MS)).to.equal(true);
    while (ipv4()) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    await seconds(1);
    expect(ipv4()).to.equal(undefined);
    expect(held.keepHolding(EVERY_MS)).to.equal(false);

    opened(Director.ensure({ name, hostNetns }));
    expect(held.keepHolding(EVERY_MS)).to.equal(true);
    await seconds(2);
    expect(held.keepHolding(EVERY_MS)).to.equal(true);
  });

  it('tells once of an address that was removed, though it is there again', async () => {
    const held = opened(new DeadMansSwitch({ director: name, hostNetns, seconds: 1 }));
    expect(held.keepHolding(EVERY_MS)).to.equal(true);
    const { index, address, prefixLength } = ipv4()!;
    host.deleteAddress({ index, address, prefixLength });
    host.addAddress({ index, address, prefixLength });
    expect(held.keepHolding(EVERY_MS)).to.equal(false);
    expect(held.keepHolding(EVERY_MS)).to.equal(true);
    host.deleteAddress({ index, address, prefixLength });
    host.addAddress({ index, address, prefixLength });
    expect(held.hold()).to.equal(false);
    expect(held.hold()).to.equal(true);
  });

  it('is not put back by the sockets for longer than until somebody looks', async () => {
    const held = opened(new DeadMansSwitch({ director: name, hostNetns, seconds: 3_600 }));
    held.keepHolding(EVERY_MS);
    const { index, address, prefixLength } = ipv4()!;
    host.deleteAddress({ index, address, prefixLength });
    expect(held.keepHolding(EVERY_MS)).to.equal(false);
    await seconds(1);
    expect(ipv4()).to.equal(undefined);
  });

  it('has gone off when its director is removed, which does not live on for being told that this process lives', async () => {
    const held = opened(new DeadMansSwitch({ director: name, hostNetns, seconds: 3_600 }));
    expect(held.keepHolding(EVERY_MS)).to.equal(true);
    director.close();
    deleteNetns(name);
    while (held.keepHolding(EVERY_MS)) await turn();
    while (host.link(DEFAULT_HOST_INTERFACE)) await turn();
    opened(Director.ensure({ name, hostNetns }));
    expect(held.keepHolding(EVERY_MS)).to.equal(true);
  });

  it('says so where there is no director', () => {
    const held = opened(new DeadMansSwitch({ director: name, hostNetns, hostInterface: 'other0', seconds: 1 }));
    expect(held.hold()).to.equal(false);
  });
});
