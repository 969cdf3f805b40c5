import { createNetns, deleteNetns } from '@fairlead/raw-socket';
import { expect } from 'chai';
import fc from 'fast-check';
import { virtualServers } from '../arbitraries.spec.helpers.js';
import { diff } from '../diff.js';
import { TrackedFlows } from '../flows.js';
import type { Forwarder, VirtualServer } from '../forwarder.js';
import { KernelForwarder } from '../kernel-forwarder.js';
import { NftCommand } from '../nft.js';
import { NftablesEngine } from './engine.js';

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

  const open = () => {
    const flows = new TrackedFlows(netns);
    return new KernelForwarder({ engine: new NftablesEngine(nft, flows, netns), flows });
  };

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
        const forwarder = open();
        forwarder.sync({ vips, virtualServers: [] });
        let previous: VirtualServer[] = [];
        for (const state of states) {
          const operations = diff(state, previous, { drains: ({ protocol }) => protocol !== 'udp' }).length;
          expect(forwarder.sync({ vips, virtualServers: state }).operations).to.equal(operations);
          finishDrains(forwarder);
          expect(forwarder.read()).to.deep.equal(state);
          previous = state;
        }
      }),
      { numRuns: 15 },
    );
  });

  it('adopts what an earlier process left', () => {
    open().sync({ vips, virtualServers: [web] });
    const next = open();
    expect(next.sync({ vips, virtualServers: [web] })).to.deep.equal({ operations: 0 });
    const oneLess = { ...web, realServers: web.realServers.slice(1) };
    expect(next.sync({ vips, virtualServers: [oneLess] })).to.deep.equal({ operations: 1 });
    finishDrains(next);
    expect(next.read()).to.deep.equal([oneLess]);
  });

  it('leaves counters of untouched real servers alone when another one changes', () => {
    const forwarder = open();
    forwarder.sync({ vips, virtualServers: [web] });
    const chain = 'inet fairlead-forward rs/tcp/10.77.0.200/80/10.77.0.11/30080';
    nft.run(`flush chain ${chain}
      add rule ${chain} meta l4proto 6 counter packets 7 bytes 420 dnat ip to 10.77.0.11:30080 comment "weight=1"`);
    forwarder.sync({ vips, virtualServers: [{ ...web, realServers: web.realServers.slice(0, 1) }] });
    finishDrains(forwarder);
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
      const forwarder = open();
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
    const forwarder = open();
    forwarder.sync({ vips, virtualServers: [web] });
    forwarder.sync({ vips, virtualServers: [] });
    expect(nft.listTable('inet', 'other')).to.deep.equal(before);
  });

  it('does a change again that the kernel refused because somebody had been at it', () => {
    const forwarder = open();
    forwarder.sync({ vips, virtualServers: [web] });
    nft.run('delete table inet fairlead-forward');
    const changed = { ...web, scheduler: 'wrr' };
    expect(forwarder.sync({ vips, virtualServers: [changed] }).operations).to.be.greaterThan(0);
    expect(forwarder.read()).to.deep.equal([changed]);
  });

  it('reads the table again in an audit only when somebody has changed a ruleset since the one before', () => {
    let listings = 0;
    const eachOfTable: NftCommand['eachOfTable'] = (...table) => {
      listings++;
      return nft.eachOfTable(...table);
    };
    const flows = new TrackedFlows(netns);
    const watched = { run: (script: string) => nft.run(script), eachOfTable } as NftCommand;
    const forwarder = new KernelForwarder({ engine: new NftablesEngine(watched, flows, netns), flows });
    forwarder.sync({ vips, virtualServers: [web] });
    const audit = () => {
      listings = 0;
      return [forwarder.audit().repaired, listings];
    };
    audit();
    expect(audit()).to.deep.equal([0, 0]);
    nft.run('flush table inet fairlead-forward');
    const [repaired] = audit();
    expect(repaired).to.be.greaterThan(0);
    expect(forwarder.read()).to.deep.equal([web]);
    expect(audit()).to.deep.equal([0, 1]);
    expect(audit()).to.deep.equal([0, 0]);
    forwarder.close();
  });
});

/** Nothing is connected here: the second look finds that. */
function finishDrains(forwarder: Forwarder): void {
  forwarder.tend(0);
  expect(forwarder.tend(1_000)).to.deep.equal({ draining: 0 });
}
