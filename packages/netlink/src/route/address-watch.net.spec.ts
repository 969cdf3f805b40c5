import { expect } from 'chai';
import { makeNetns } from '../netns.spec.helpers.js';
import { AddressWatch } from './address-watch.js';
import { Rtnetlink } from './rtnetlink.js';

describe('AddressWatch on the running kernel', () => {
  let netns: ReturnType<typeof makeNetns>;
  let rtnetlink: Rtnetlink;
  let watch: AddressWatch;
  const address = { index: 1, address: '10.0.0.1', prefixLength: 32 };

  beforeEach(() => {
    netns = makeNetns();
    rtnetlink = new Rtnetlink({ netns: netns.name });
    rtnetlink.setLink(1, { up: true });
    rtnetlink.addAddress(address);
    watch = new AddressWatch({ netns: netns.name, address: address.address });
  });
  afterEach(() => {
    watch.close();
    rtnetlink.close();
    netns.delete();
  });

  it('tells of its address that goes, once, and though it is there again', () => {
    expect(watch.removed()).to.equal(false);
    rtnetlink.deleteAddress(address);
    rtnetlink.addAddress(address);
    expect(watch.removed()).to.equal(true);
    expect(watch.removed()).to.equal(false);
  });

  it('takes other addresses for nothing, and its own that is prolonged', () => {
    const other = { ...address, address: '10.0.0.2' };
    rtnetlink.addAddress(other);
    rtnetlink.deleteAddress(other);
    rtnetlink.addAddress({ ...address, address: 'fd00::1', prefixLength: 128 });
    rtnetlink.replaceAddress({ ...address, validLifetimeSeconds: 5 });
    expect(watch.removed()).to.equal(false);
  });

  it('tells of an interface that goes with it', () => {
    const { index } = rtnetlink.addVeth({ name: 'v0', peer: { name: 'v1' } });
    rtnetlink.addAddress({ ...address, index });
    rtnetlink.deleteLink(index);
    expect(watch.removed()).to.equal(true);
  });
});
