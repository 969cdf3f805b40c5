import { writeFileSync } from 'node:fs';
import { Rtnetlink } from '@fairlead/netlink';
import { createNetns, deleteNetns, inNetns, listNetns } from '@fairlead/raw-socket';
import { expect } from 'chai';
import { cleanup, speakerRuns } from './cleanup.js';
import { Director } from './director/director.js';
import { NftCommand } from './nft.js';
import { DeadMansSwitch } from './routes/dead-mans-switch.js';
import { HostRoutes } from './routes/host-routes.js';
import { OwnerRules } from './routes/owner-rules.js';
import { SecondChance } from './second-chance/second-chance.js';

const hostNetns = `fl-clean-h-${process.pid}`;
const name = `fl-clean-d-${process.pid}`;
const options = { name, hostNetns };

describe('cleanup', function () {
  this.timeout(60_000);
  let host: Rtnetlink;
  beforeEach(() => {
    createNetns(hostNetns);
    inNetns(hostNetns, () => writeFileSync('/proc/sys/net/ipv4/ip_forward', '1'));
    host = new Rtnetlink({ netns: hostNetns });
    host.setLink(1, { up: true });
  });
  afterEach(() => {
    host.close();
    for (const netns of [hostNetns, name]) if (listNetns().includes(netns)) deleteNetns(netns);
  });

  const nft = new NftCommand(hostNetns);
  const everything = () => ({
    links: host.links().map((link) => link.name),
    addresses: host.addresses().map(({ address }) => address),
    routes: host.routes(),
    rules: [...host.rules('ipv4'), ...host.rules('ipv6')],
    tables: (['netdev', 'ip', 'ip6'] as const).filter((family) => nft.listTable(family, 'fairlead') !== undefined),
    namespaces: listNetns().filter((netns) => netns === name),
  });

  it('leaves a host as it was before', () => {
    host.addVeth({ name: 'other0', peer: { name: 'other1' } });
    const { index } = host.link('other0')!;
    host.setLink(index, { up: true });
    host.addRoute({ family: 'ipv4', destination: '192.0.2.0', prefixLength: 24, index, table: 7700 });
    host.addRule({ family: 'ipv4', priority: 7700, table: 7700 });
    const before = everything();

    Director.ensure(options).close();
    const routes = new HostRoutes({ hostNetns });
    routes.sync([{ index: 3, vips: ['10.77.0.200', 'fd00:77::200'] }]);
    routes.close();
    const rules = new OwnerRules({ hostNetns });
    rules.claim(3);
    rules.close();
    const chance = new SecondChance({ director: name, hostNetns, lives: [], heldSeconds: 4 });
    chance.offer(['other0']);
    chance.close();

    const installed = everything();
    const planned = cleanup({ ...options, dryRun: true });
    expect(everything(), 'after a dry run').to.deep.equal(installed);
    expect(cleanup(options)).to.deep.equal(planned);
    expect(planned).to.deep.equal({
      removed: [
        'ipv4 rule 7703',
        'ipv6 rule 7699',
        'ipv6 rule 7703',
        'route 10.77.0.200/32 of table 7703',
        'route fd00:77::200/128 of table 7703',
        'nftables table netdev fairlead',
        'nftables table ip fairlead',
        'nftables table ip6 fairlead',
        'interface fairlead0',
        `network namespace ${name}`,
      ],
      left: [],
    });
    expect(everything()).to.deep.equal(before);
    expect(cleanup(options)).to.deep.equal({ removed: [], left: [] });
  });

  it('does not touch an interface or a namespace of our name that is not ours, and says so', () => {
    createNetns(name);
    host.addVeth({ name: 'fairlead0', peer: { name: 'somewhere' } });
    const before = everything();
    const { removed, left } = cleanup(options);
    expect(removed).to.deep.equal([]);
    expect(left).to.have.length(1);
    expect(left[0]).to.contain('fairlead0');
    expect(everything()).to.deep.equal(before);
  });

  it('removes a director that has lost its interface', () => {
    Director.ensure(options).close();
    host.deleteLink(host.link('fairlead0')!.index);
    expect(cleanup(options)).to.deep.equal({ removed: [`network namespace ${name}`], left: [] });
  });

  it('leaves a namespace that has something in it, though no interface', () => {
    createNetns(name);
    const inside = new Rtnetlink({ netns: name });
    inside.addAddress({
      index: inside.addVeth({ name: 'a', peer: { name: 'b' } }).index,
      address: '192.0.2.1',
      prefixLength: 32,
    });
    inside.close();
    const { removed, left } = cleanup(options);
    expect(removed).to.deep.equal([]);
    expect(left[0]).to.contain("somebody else's");
    expect(listNetns()).to.include(name);
  });

  it('finds out whether a speaker runs here', async () => {
    expect(await speakerRuns({ hostNetns }), 'nothing there').to.equal(false);
    Director.ensure(options).close();
    expect(await speakerRuns({ hostNetns }), 'nobody has ever held it').to.equal(false);
    const held = new DeadMansSwitch({ director: name, hostNetns, seconds: 4 });
    held.hold();
    const holding = setInterval(() => held.hold(), 500);
    try {
      expect(await speakerRuns({ hostNetns }), 'somebody holds it').to.equal(true);
    } finally {
      clearInterval(holding);
      held.close();
    }
    expect(await speakerRuns({ hostNetns }), 'nobody does any more').to.equal(false);
  });
});
