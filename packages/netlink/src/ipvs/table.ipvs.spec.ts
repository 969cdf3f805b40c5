/** Ipvs.table() against what services() and destinations() say of the same kernel. */
import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { describeWithIpvs } from '../describe-with-ipvs.js';
import { makeNetns, runIn } from '../netns.spec.helpers.js';
import { Rtnetlink } from '../route/rtnetlink.js';
import { ipvsServiceFlags } from './constants.js';
import { Ipvs } from './ipvs.js';
import type { IpvsOperation, IpvsServiceKey } from './types.js';

describeWithIpvs('Ipvs.table', function (this: Mocha.Suite) {
  // The guest that runs these is an emulated machine.
  this.timeout(120_000);
  let netns: ReturnType<typeof makeNetns>;
  let ipvs: Ipvs;

  beforeEach(() => {
    netns = makeNetns();
    const rtnetlink = new Rtnetlink({ netns: netns.name });
    rtnetlink.setLink(1, { up: true });
    rtnetlink.close();
    ipvs = new Ipvs({ netns: netns.name });
  });

  afterEach(() => {
    ipvs.close();
    netns.delete();
  });

  const web: IpvsServiceKey = { family: 'ipv4', protocol: 'tcp', address: '10.0.0.100', port: 80 };

  /** The same by a list for each service. */
  const oneByOne = () =>
    ipvs.services().map(({ stats, ...service }) => ({
      service,
      destinations: ipvs
        .destinations(service)
        .map(({ address, port, weight, forwarding, activeConnections, inactiveConnections }) => ({
          address,
          port,
          weight,
          forwarding,
          activeConnections,
          inactiveConnections,
        })),
    }));

  it('is empty while there is nothing', () => {
    expect(ipvs.table()).to.deep.equal([]);
  });

  it('tells the same as a list for each service, whatever is in it', () => {
    const services = (['tcp', 'udp', 'sctp'] as const).flatMap((protocol, i) => [
      { ...web, protocol, scheduler: 'rr' },
      { ...web, protocol, port: 81 + i, scheduler: 'mh', flags: ipvsServiceFlags.mhPort },
      { ...web, protocol, family: 'ipv6' as const, address: `2001:db8::${i + 1}`, scheduler: 'wlc' },
      { ...web, protocol, port: 90, scheduler: 'sh', persistenceTimeoutSeconds: 300, netmask: 0xffffff00 },
    ]);
    const marks = (['ipv4', 'ipv6'] as const).map((family) => ({
      ...web,
      family,
      address: family === 'ipv4' ? '0.0.0.0' : '::',
      port: 0,
      fwmark: 7,
      scheduler: 'rr',
    }));
    ipvs.addService({ ...web, protocol: 'udp', port: 99, scheduler: 'rr', flags: ipvsServiceFlags.onePacket });
    for (const service of [...services, ...marks]) {
      ipvs.addService(service);
      const address = (n: number) => (service.family === 'ipv4' ? `10.200.0.${n}` : `2001:db8:1::${n}`);
      for (const [n, forwarding] of (['masquerade', 'tunnel', 'direct'] as const).entries()) {
        ipvs.addDestination(service, { address: address(n + 1), port: 30_000 + n, weight: n * 1_000_000, forwarding });
      }
    }
    const table = ipvs.table();
    expect(table).to.have.length(services.length + marks.length + 1);
    expect(table).to.deep.equal(oneByOne());
  });

  it('is right after every change, through the same open file', () => {
    ipvs.addService({ ...web, scheduler: 'rr' });
    expect(ipvs.table()[0]?.destinations).to.deep.equal([]);
    ipvs.addDestination(web, { address: '10.0.0.2', port: 30080, weight: 1 });
    expect(ipvs.table()[0]?.destinations).to.have.length(1);
    ipvs.setDestination(web, { address: '10.0.0.2', port: 30080, weight: 0 });
    expect(ipvs.table()[0]?.destinations[0]).to.include({ weight: 0 });
    ipvs.flush();
    expect(ipvs.table()).to.deep.equal([]);
  });

  it('has every one of thousands, once', () => {
    const operations = Array.from({ length: 2_000 }, (_, i): IpvsOperation[] => {
      const service = { ...web, address: `10.1.${i >> 8}.${i & 0xff}`, scheduler: 'rr' };
      return [
        { kind: 'add-service', service },
        { kind: 'add-destination', service, destination: { address: '10.200.0.1', port: 30_000 + i, weight: 1 } },
      ];
    }).flat();
    expect(ipvs.apply(operations)).to.deep.equal([]);
    const table = ipvs.table();
    expect(new Set(table.map(({ service }) => service.address)).size).to.equal(2_000);
    for (const { service, destinations } of table) {
      const [, , high, low] = service.address.split('.').map(Number);
      expect(destinations.map(({ port }) => port)).to.deep.equal([30_000 + high! * 256 + low!]);
    }
  });

  it('needs no right but CAP_NET_ADMIN once it is open', () => {
    ipvs.addService({ ...web, scheduler: 'rr' });
    const script = `
      const { Ipvs } = await import(${JSON.stringify(new URL('./ipvs.js', import.meta.url).href)});
      console.log(JSON.stringify(new Ipvs().table()));`;
    const printed = runIn(
      netns.name,
      'setpriv',
      '--inh-caps=-all,+net_admin',
      '--bounding-set=-all,+net_admin',
      process.execPath,
      '--input-type=module',
      '-e',
      script,
    );
    expect(JSON.parse(printed)).to.deep.equal(ipvs.table());
  });

  for (const [scheduler, flags] of [
    ['sh', ['shFallback', 'sh-fallback']],
    ['sh', ['shPort', 'sh-port']],
    ['mh', ['mhFallback', 'mh-fallback']],
    ['mh', ['mhPort', 'mh-port']],
  ] as const) {
    it(`shows ${flags[1]} of ${scheduler} as ipvsadm does, and takes it from ipvsadm`, () => {
      const flag = ipvsServiceFlags[flags[0]];
      ipvs.addService({ ...web, scheduler, flags: flag });
      expect(runIn(netns.name, 'ipvsadm', '-Sn').trim()).to.equal(`-A -t 10.0.0.100:80 -s ${scheduler} -b ${flags[1]}`);
      ipvs.flush();
      execFileSync('nsenter', [`--net=/run/netns/${netns.name}`, '--', 'ipvsadm', '--restore'], {
        input: `-A -t 10.0.0.100:80 -s ${scheduler} -b ${flags[1]}\n`,
      });
      expect(ipvs.table()[0]?.service).to.include({ scheduler, flags: flag });
    });
  }
});
