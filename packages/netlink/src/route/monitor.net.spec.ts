import { expect } from 'chai';
import { makeNetns } from '../netns.spec.helpers.js';
import { type LinkEvent, LinkMonitor } from './monitor.js';
import { Rtnetlink } from './rtnetlink.js';

describe('LinkMonitor on the running kernel', () => {
  let netns: ReturnType<typeof makeNetns>;
  let rtnetlink: Rtnetlink;
  let monitor: LinkMonitor;
  let events: LinkEvent[];
  let wake: () => void;

  beforeEach(() => {
    netns = makeNetns();
    rtnetlink = new Rtnetlink({ netns: netns.name });
    events = [];
    wake = () => {};
    monitor = new LinkMonitor({
      netns: netns.name,
      onEvent: (event) => {
        events.push(event);
        wake();
      },
    });
  });

  afterEach(() => {
    monitor.close();
    rtnetlink.close();
    netns.delete();
  });

  /** Waits until one of the events so far, or to come, fits. */
  async function seen(fits: (event: LinkEvent) => boolean): Promise<void> {
    while (!events.some(fits)) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }

  it('tells of links that come, go up, lose their carrier and go away', async () => {
    const { index } = rtnetlink.addVeth({ name: 'v0', peer: { name: 'v1' } });
    await seen((event) => event.type === 'link' && event.link.name === 'v0' && !event.link.up);
    rtnetlink.setLink(index, { up: true });
    const peer = rtnetlink.link('v1')!.index;
    rtnetlink.setLink(peer, { up: true });
    await seen((event) => event.type === 'link' && event.link.index === index && event.link.carrier);
    events = [];
    rtnetlink.setLink(peer, { up: false });
    await seen((event) => event.type === 'link' && event.link.index === index && event.link.up && !event.link.carrier);
    rtnetlink.deleteLink(index);
    await seen((event) => event.type === 'link-removed' && event.link.index === index);
  });

  it('does not tell of new addresses of an interface that it is to ignore, but that they are gone, and of all others', async () => {
    const { index } = rtnetlink.addVeth({ name: 'v0', peer: { name: 'v1' } });
    const other = rtnetlink.link('v1')!.index;
    const add = (to: number, address: string) => rtnetlink.replaceAddress({ index: to, address, prefixLength: 32 });
    const has = (type: LinkEvent['type'], of: string) => (event: LinkEvent) =>
      'address' in event && event.type === type && event.address.address === of;
    monitor.ignoreNewAddresses(index);
    add(index, '10.9.0.1');
    add(other, '10.9.0.2');
    await seen(has('address', '10.9.0.2'));
    rtnetlink.deleteAddress({ index, address: '10.9.0.1', prefixLength: 32 });
    await seen(has('address-removed', '10.9.0.1'));
    expect(events.some(has('address', '10.9.0.1'))).to.equal(false);
    monitor.ignoreNewAddresses(undefined);
    add(index, '10.9.0.3');
    await seen(has('address', '10.9.0.3'));
  });

  it('tells of addresses of both families', async () => {
    rtnetlink.setLink(1, { up: true });
    for (const address of ['10.9.0.1', '2001:db8::1']) {
      const key = { index: 1, address, prefixLength: address.includes(':') ? 128 : 32 };
      rtnetlink.addAddress(key);
      await seen((event) => event.type === 'address' && event.address.address === address && event.address.index === 1);
      rtnetlink.deleteAddress(key);
      await seen((event) => event.type === 'address-removed' && event.address.address === address);
    }
  });

  it('does not tell of addresses when it is asked not to', async () => {
    monitor.close();
    monitor = new LinkMonitor({
      netns: netns.name,
      addresses: false,
      onEvent: (event) => {
        events.push(event);
        wake();
      },
    });
    rtnetlink.addAddress({ index: 1, address: '10.9.0.1', prefixLength: 32 });
    rtnetlink.addVeth({ name: 'v0', peer: { name: 'v1' } });
    await seen((event) => event.type === 'link');
    expect(events.filter(({ type }) => type.startsWith('address'))).to.deep.equal([]);
  });

  it('says so when notifications were lost, and goes on', async () => {
    rtnetlink.setLink(1, { up: true });
    // Nothing is read while this thread is busy: more notifications than the receive buffer holds.
    for (let i = 0; i < 20_000; i++) rtnetlink.setLink(1, { alias: `change ${i}` });
    await seen((event) => event.type === 'resync');
    rtnetlink.addAddress({ index: 1, address: '10.9.9.9', prefixLength: 32 });
    await seen((event) => event.type === 'address' && event.address.address === '10.9.9.9');
  }).timeout(60_000);
});
