import { createNetns, deleteNetns } from '@fairlead/raw-socket';
import { expect } from 'chai';
import fc from 'fast-check';
import { virtualServers } from '../arbitraries.spec.helpers.js';
import { diff } from '../diff.js';
import type { VirtualServer } from '../forwarder.js';
import { NftCommand } from '../nft.js';
import { NftablesForwarder } from './forwarder.js';

const netns = `fl-nft-${process.pid}`;
const vips: string[] = [];

describe('nftables forwarder and the kernel', function () {
  this.timeout(60_000);
  let nft: NftCommand;
  before(() => {
    createNetns(netns);
    nft = new NftCommand(netns);
  });
  after(() => deleteNetns(netns));
  beforeEach(() => nft.run('flush ruleset'));

  const web: VirtualServer = {
    address: '10.77.0.200',
    port: 80,
    protocol: 'tcp',
    scheduler: 'rr',
    realServers: [
      { address: '10.77.0.11', port: 30080, weight: 1 },
      { address: '10.77.0.12', port: 30080, weight: 1 },
    ],
  };

  it('leads the kernel from any state to any other, in as many operations as differ', function () {
    this.timeout(300_000); // some hundred nft commands
    fc.assert(
      fc.property(fc.array(virtualServers, { minLength: 2, maxLength: 4 }), (states) => {
        nft.run('flush ruleset');
        const forwarder = new NftablesForwarder(nft);
        forwarder.sync({ vips, virtualServers: [] });
        let previous: VirtualServer[] = [];
        for (const state of states) {
          expect(forwarder.sync({ vips, virtualServers: state }).operations).to.equal(diff(state, previous).length);
          expect(forwarder.read()).to.deep.equal(state);
          previous = state;
        }
      }),
      { numRuns: 15 },
    );
  });

  it('adopts what an earlier process left', () => {
    new NftablesForwarder(nft).sync({ vips, virtualServers: [web] });
    const next = new NftablesForwarder(nft);
    expect(next.sync({ vips, virtualServers: [web] })).to.deep.equal({ operations: 0 });
    const oneLess = { ...web, realServers: web.realServers.slice(1) };
    expect(next.sync({ vips, virtualServers: [oneLess] })).to.deep.equal({ operations: 1 });
    expect(next.read()).to.deep.equal([oneLess]);
  });

  it('leaves counters of untouched real servers alone when another one changes', () => {
    const forwarder = new NftablesForwarder(nft);
    forwarder.sync({ vips, virtualServers: [web] });
    const chain = 'inet fairlead-forward rs/tcp/10.77.0.200/80/10.77.0.11/30080';
    nft.run(`flush chain ${chain}
      add rule ${chain} meta l4proto 6 counter packets 7 bytes 420 dnat ip to 10.77.0.11:30080 comment "weight=1"`);
    forwarder.sync({ vips, virtualServers: [{ ...web, realServers: web.realServers.slice(0, 1) }] });
    expect(forwarder.stats()).to.deep.equal([
      { ...web, realServers: [{ address: '10.77.0.11', port: 30080, weight: 1, connections: 7n }] },
    ]);
  });

  const damages: Record<string, string> = {
    'a deleted table': 'delete table inet fairlead-forward',
    'an emptied chain': 'flush chain inet fairlead-forward vs/tcp/10.77.0.200/80',
    'a rule too many':
      'add rule inet fairlead-forward rs/tcp/10.77.0.200/80/10.77.0.11/30080 meta l4proto 6 dnat ip to 10.77.0.99:1 comment "weight=1"',
    'a missing dispatch': 'flush map inet fairlead-forward dispatch4',
    'an emptied base chain': 'flush chain inet fairlead-forward prerouting',
    'a chain that is not ours': 'add chain inet fairlead-forward stranger',
  };
  for (const [what, script] of Object.entries(damages)) {
    it(`repairs ${what} after the next reading`, () => {
      const forwarder = new NftablesForwarder(nft);
      forwarder.sync({ vips, virtualServers: [web] });
      nft.run(script);
      forwarder.read();
      expect(forwarder.sync({ vips, virtualServers: [web] }).operations).to.be.greaterThan(0);
      expect(forwarder.read()).to.deep.equal([web]);
      expect(forwarder.sync({ vips, virtualServers: [web] })).to.deep.equal({ operations: 0 });
    });
  }

  it('does not touch other tables', () => {
    nft.run('add table inet other; add chain inet other c; add rule inet other c counter');
    const before = nft.listTable('inet', 'other');
    const forwarder = new NftablesForwarder(nft);
    forwarder.sync({ vips, virtualServers: [web] });
    forwarder.sync({ vips, virtualServers: [] });
    expect(nft.listTable('inet', 'other')).to.deep.equal(before);
  });

  it('reads the kernel again after a change that the kernel refused', () => {
    const forwarder = new NftablesForwarder(nft);
    forwarder.sync({ vips, virtualServers: [web] });
    nft.run('delete table inet fairlead-forward');
    const changed = { ...web, scheduler: 'wrr' };
    expect(() => forwarder.sync({ vips, virtualServers: [changed] }))
      .to.throw(/nft could not apply a change in network namespace fl-nft-.*No such file or directory/s)
      .with.property('code', 'FL_NFT_FAILED');
    expect(forwarder.sync({ vips, virtualServers: [changed] }).operations).to.be.greaterThan(0);
    expect(forwarder.read()).to.deep.equal([changed]);
  });
});
