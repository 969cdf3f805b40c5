import { Rtnetlink } from '@fairlead/netlink';
import { createNetns, deleteNetns } from '@fairlead/raw-socket';
import { expect } from 'chai';
import { directorLink, IPV4_PREFIX_LENGTH, IPV6_PREFIX_LENGTH } from '../director/link.js';
import { silent } from '../log.js';
import { HostRoutes } from './host-routes.js';
import { OwnerRules } from './owner-rules.js';

const hostNetns = `fl-routes-${process.pid}`;

describe('the way from a host into its director', function () {
  this.timeout(60_000);
  let host: Rtnetlink;
  let eth0: number;
  const closing: { close(): void }[] = [];
  const opened = <T extends { close(): void }>(thing: T): T => {
    closing.push(thing);
    return thing;
  };

  beforeEach(() => {
    createNetns(hostNetns);
    host = opened(new Rtnetlink({ netns: hostNetns }));
    const link = directorLink();
    eth0 = host.addVeth({ name: 'eth0', peer: { name: 'lan' } }).index;
    const { index } = host.addVeth({ name: link.host.name, peer: { name: 'director' } });
    for (const { index: any } of host.links()) host.setLink(any, { up: true });
    host.addAddress({ index, address: link.host.ipv4, prefixLength: IPV4_PREFIX_LENGTH });
    host.addAddress({ index, address: link.host.ipv6, prefixLength: IPV6_PREFIX_LENGTH, noDad: true });
  });
  afterEach(() => {
    for (const thing of closing.splice(0)) thing.close();
    deleteNetns(hostNetns);
  });

  const routers = [
    { index: 0, vips: ['10.77.0.200', '10.77.0.201', 'fd00:77::200'] },
    { index: 5, vips: ['10.77.0.205'] },
  ];
  const openRoutes = (log = silent) => opened(new HostRoutes({ hostNetns, log }));
  const openRules = () => opened(new OwnerRules({ hostNetns }));

  it('has one table a virtual router, and a route a VIP, recognisable as ours', () => {
    expect(openRoutes().sync(routers).operations).to.equal(4);
    const found = host
      .routes()
      .filter(({ protocol }) => protocol === 77)
      .map((route) => `${route.table} ${route.destination}/${route.prefixLength} via ${route.gateway}`);
    expect(found.sort()).to.deep.equal([
      '7700 10.77.0.200/32 via 169.254.77.2',
      '7700 10.77.0.201/32 via 169.254.77.2',
      '7700 fd00:77::200/128 via fe80::4d:2',
      '7705 10.77.0.205/32 via 169.254.77.2',
    ]);
  });

  it('changes by what is said to have changed', () => {
    const routes = openRoutes();
    expect(() => routes.update({ added: [], removed: [] })).to.throw('before their first sync');
    routes.sync(routers);
    const { operations } = routes.update({
      added: [{ index: 5, vips: ['10.77.0.201', '10.77.0.205'] }],
      removed: [{ index: 0, vips: ['10.77.0.201', '10.77.0.250'] }],
    });
    expect(operations).to.equal(2); // 205 was there, 250 was not
    const now = [
      { index: 0, vips: ['10.77.0.200', 'fd00:77::200'] },
      { index: 5, vips: ['10.77.0.201', '10.77.0.205'] },
    ];
    expect(routes.read()).to.deep.equal(now);
    expect(openRoutes().sync(now).operations).to.equal(0);
    expect(routes.sync(now).operations).to.equal(0);
  });

  it('is adopted by the next process, and changed by as much as differs', () => {
    openRoutes().sync(routers);
    const next = openRoutes();
    expect(next.sync(routers).operations).to.equal(0);
    expect(next.read()).to.deep.equal(routers);
    expect(next.sync([routers[0]!, { index: 5, vips: ['10.77.0.206'] }]).operations).to.equal(2);
    expect(next.sync([]).operations).to.equal(4);
    expect(next.read()).to.deep.equal([]);
  });

  it('is mended after the next reading', () => {
    const routes = openRoutes();
    routes.sync(routers);
    host.deleteRoute({ family: 'ipv4', destination: '10.77.0.205', prefixLength: 32, table: 7705 });
    host.replaceRoute({
      family: 'ipv4',
      destination: '10.77.0.200',
      prefixLength: 32,
      table: 7700,
      protocol: 77,
      index: eth0,
    });
    routes.read();
    expect(routes.sync(routers).operations).to.equal(2);
    expect(routes.read()).to.deep.equal(routers);
    expect(routes.sync(routers).operations).to.equal(0);
  });

  const damages: Record<string, [() => void, number]> = {
    'a route that somebody deleted': [
      () => host.deleteRoute({ family: 'ipv4', destination: '10.77.0.205', prefixLength: 32, table: 7705 }),
      1,
    ],
    'a route too many': [
      () => {
        const route = { destination: '10.77.0.250', prefixLength: 32, table: 7705, protocol: 77, index: eth0 };
        host.addRoute({ family: 'ipv4', ...route });
      },
      1,
    ],
    // Those of IPv4 go without being mentioned.
    'routes whose interface was off for a moment': [
      () => {
        const { index } = host.link(directorLink().host.name)!;
        host.setLink(index, { up: false });
        host.setLink(index, { up: true });
      },
      4,
    ],
    'routes whose interface lost its addresses': [
      () => {
        const { index } = host.link(directorLink().host.name)!;
        host.deleteAddress({ index, address: directorLink().host.ipv4, prefixLength: IPV4_PREFIX_LENGTH });
      },
      3,
    ],
  };
  for (const [what, [damage, repairs]] of Object.entries(damages)) {
    it(`finds and repairs when asked to look: ${what}`, () => {
      const routes = openRoutes();
      routes.sync(routers);
      expect(routes.audit(routers).operations).to.equal(0);
      expect(routes.audit(routers).operations).to.equal(0);
      damage();
      expect(routes.audit(routers).operations).to.equal(repairs);
      expect(routes.audit(routers).operations).to.equal(0);
      expect(openRoutes().sync(routers).operations).to.equal(0);
    });
  }

  it('leaves routes of others alone, and warns of them in our tables', () => {
    host.addRoute({ family: 'ipv4', destination: '192.0.2.0', prefixLength: 24, table: 7700, index: eth0 });
    host.addRoute({ family: 'ipv4', destination: '192.0.2.0', prefixLength: 24, table: 100, index: eth0 });
    const warnings: object[] = [];
    const routes = openRoutes({ ...silent, warn: (fields) => warnings.push(fields) });
    routes.sync(routers);
    routes.sync([]);
    expect(warnings).to.deep.equal([{ tables: [7700], routes: 1, example: '192.0.2.0/24' }]);
    expect(host.routes().filter(({ destination }) => destination === '192.0.2.0')).to.have.length(2);
  });

  it('needs the interface to the director', () => {
    host.deleteLink(host.link('fairlead0')!.index);
    expect(() => openRoutes().sync(routers))
      .to.throw(/no interface fairlead0/)
      .with.property('code', 'FL_NO_DIRECTOR');
  });

  it('is open on the owner alone, by one rule a family', () => {
    const rules = openRules();
    const ours = () =>
      (['ipv4', 'ipv6'] as const).flatMap((family) =>
        host
          .rules(family)
          .filter(({ protocol }) => protocol === 77)
          .map(({ priority, table, iifName }) => ({ family, priority, table, iifName })),
      );
    expect(rules.list()).to.deep.equal([]);
    rules.claim(5);
    rules.claim(5);
    expect(ours()).to.deep.equal([
      { family: 'ipv4', priority: 7705, table: 7705, iifName: undefined },
      { family: 'ipv6', priority: 7705, table: 7705, iifName: undefined },
    ]);
    rules.release(5);
    rules.release(5);
    expect(ours()).to.deep.equal([]);
  });

  it('tells a restarted process what is claimed, and only what is ours', () => {
    openRules().claim(1023);
    openRules().claim(0);
    host.addRule({ family: 'ipv4', priority: 7703, table: 7703 });
    expect(openRules().list()).to.deep.equal([0, 1023]);
  });

  it('has no room for more virtual routers than it says', () => {
    expect(() => openRules().claim(1024))
      .to.throw(/0 to 1023/)
      .with.property('code', 'FL_BAD_INDEX');
    expect(() => openRoutes().sync([{ index: -1, vips: ['10.77.0.200'] }])).to.throw(/0 to 1023/);
  });
});
