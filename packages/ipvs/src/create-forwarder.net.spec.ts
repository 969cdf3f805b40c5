import { Ipvs } from '@fairlead/netlink';
import { createNetns, deleteNetns } from '@fairlead/raw-socket';
import { expect } from 'chai';
import { createForwarder } from './create-forwarder.js';

const director = `fl-choice-${process.pid}`;

/** Whether this kernel has IPVS decides what can be seen here. */
function kernelHasIpvs(): boolean {
  try {
    new Ipvs().close();
    return true;
  } catch {
    return false;
  }
}

describe('choice of a forwarder', function () {
  this.timeout(60_000);
  before(() => createNetns(director));
  after(() => deleteNetns(director));

  it('falls to nftables where the kernel has no ip_vs, unless ipvs was asked for', function () {
    if (kernelHasIpvs()) this.skip();
    expect(createForwarder({ kind: 'auto', director }).kind).to.equal('nftables');
    expect(() => createForwarder({ kind: 'ipvs', director }))
      .to.throw(/modprobe ip_vs/)
      .with.property('code', 'FL_NO_IPVS');
  });

  it('takes nftables when asked to', () => {
    expect(createForwarder({ kind: 'nftables', director }).kind).to.equal('nftables');
  });

  it('fails where there is no director', () => {
    const forwarder = createForwarder({ kind: 'nftables', director: 'fl-nowhere' });
    expect(() => forwarder.read())
      .to.throw()
      .with.property('code', 'ENOENT');
  });
});
