/** Ipvs against the kernel, and against what ipvsadm says about it. */
import { createServer } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { inNetns } from '@fairlead/raw-socket';
import { expect } from 'chai';
import fc from 'fast-check';
import { describeWithIpvs } from '../describe-with-ipvs.js';
import { makeNetns, run, runIn } from '../netns.spec.helpers.js';
import { Rtnetlink } from '../route/rtnetlink.js';
import { ipvsServiceFlags } from './constants.js';
import type { IpvsError, IpvsProblem } from './errors.js';
import { FakeIpvsKernel } from './fake-kernel.js';
import { Ipvs } from './ipvs.js';
import {
  completeService,
  endpointName,
  type IpvsDestinationOptions,
  type IpvsOperation,
  type IpvsServiceKey,
  serviceName,
} from './types.js';

const web: IpvsServiceKey = { family: 'ipv4', protocol: 'tcp', address: '10.0.0.100', port: 80 };
const web6: IpvsServiceKey = { family: 'ipv6', protocol: 'tcp', address: '2001:db8::100', port: 80 };
const real = (n: number): IpvsDestinationOptions => ({ address: `10.0.0.${n}`, port: 30080, weight: 1 });

function thrown(call: () => unknown): IpvsError {
  try {
    call();
  } catch (error) {
    return error as IpvsError;
  }
  throw new Error('nothing was thrown');
}

describeWithIpvs('Ipvs on the running kernel', function (this: Mocha.Suite) {
  // The guest that runs these is an emulated machine.
  this.timeout(120_000);

  let netns: ReturnType<typeof makeNetns>;
  let rtnetlink: Rtnetlink;
  let ipvs: Ipvs;

  beforeEach(() => {
    netns = makeNetns();
    rtnetlink = new Rtnetlink({ netns: netns.name });
    rtnetlink.setLink(1, { up: true });
    ipvs = new Ipvs({ netns: netns.name });
  });

  afterEach(() => {
    ipvs.close();
    rtnetlink.close();
    netns.delete();
  });

  const ipvsadm = (...args: string[]) => runIn(netns.name, 'ipvsadm', ...args);
  /** Lines of `ipvsadm -S -n`, which are commands that would make the same table. */
  const saved = () => ipvsadm('-Sn').trim().split('\n').filter(Boolean);

  it('reads version and table size as ipvsadm does', () => {
    const { version, connectionTableSize } = ipvs.info();
    expect(ipvsadm('-Ln').split('\n')[0]).to.equal(
      `IP Virtual Server version ${version} (size=${connectionTableSize})`,
    );
  });

  describe('services', () => {
    it('of every protocol, family and scheduler arrive as they were sent', () => {
      const schedulers = ['rr', 'wrr', 'lc', 'wlc', 'sh', 'dh', 'mh', 'sed', 'nq', 'none'];
      const services = (['tcp', 'udp', 'sctp'] as const).flatMap((protocol) =>
        schedulers.flatMap((scheduler, i) => [
          { ...web, protocol, port: 1000 + i, scheduler },
          { ...web6, protocol, port: 1000 + i, scheduler },
        ]),
      );
      for (const service of services) ipvs.addService(service);
      expect(ipvs.services().map(({ stats, ...service }) => service)).to.have.deep.members(
        services.map(completeService),
      );
      const option = { tcp: '-t', udp: '-u', sctp: '--sctp-service' };
      expect(saved()).to.have.members(
        services.map((service) => `-A ${option[service.protocol]} ${endpointName(service)} -s ${service.scheduler}`),
      );
    });

    it('with flags, persistence and netmask show in ipvsadm', () => {
      ipvs.addService({ ...web, scheduler: 'mh', flags: ipvsServiceFlags.mhFallback | ipvsServiceFlags.mhPort });
      ipvs.addService({ ...web, port: 81, scheduler: 'rr', persistenceTimeoutSeconds: 360, netmask: 0xffffff00 });
      ipvs.addService({ ...web6, scheduler: 'rr', persistenceTimeoutSeconds: 60, netmask: 64 });
      ipvs.addService({ ...web, protocol: 'udp', scheduler: 'rr', flags: ipvsServiceFlags.onePacket });
      expect(saved()).to.have.members([
        '-A -t 10.0.0.100:80 -s mh -b mh-fallback,mh-port',
        '-A -t 10.0.0.100:81 -s rr -p 360 -M 255.255.255.0',
        '-A -t [2001:db8::100]:80 -s rr -p 60 -M 64',
        '-A -u 10.0.0.100:80 -s rr -o',
      ]);
      expect(ipvs.service(web6)).to.include({
        flags: ipvsServiceFlags.persistent,
        persistenceTimeoutSeconds: 60,
        netmask: 64,
      });
    });

    it('by firewall mark', () => {
      for (const family of ['ipv4', 'ipv6'] as const) {
        const address = family === 'ipv4' ? '0.0.0.0' : '::';
        const key: IpvsServiceKey = { family, protocol: 'tcp', address, port: 0, fwmark: 7 };
        ipvs.addService({ ...key, scheduler: 'rr' });
        ipvs.addDestination(key, { address: family === 'ipv4' ? '10.0.0.2' : '2001:db8::2', port: 0, weight: 2 });
        expect(ipvs.service(key)).to.include({ ...key, scheduler: 'rr' });
        expect(ipvs.destinations(key)).to.have.length(1);
      }
      expect(saved()).to.include.members(['-A -f 7 -s rr', '-A -f 7 -6 -s rr']);
    });

    it('change to every other scheduler and keep their destinations', () => {
      ipvs.addService({ ...web, scheduler: 'rr' });
      ipvs.addDestination(web, real(2));
      for (const scheduler of ['wlc', 'sh', 'mh', 'rr', 'none', 'rr']) {
        ipvs.setService({ ...web, scheduler });
        expect(ipvs.service(web)?.scheduler).to.equal(scheduler);
      }
      expect(ipvs.destinations(web)).to.have.length(1);
    });

    it('are deleted, or all at once', () => {
      ipvs.addService({ ...web, scheduler: 'rr' });
      ipvs.addService({ ...web6, scheduler: 'rr' });
      ipvs.deleteService(web);
      expect(ipvs.services().map(serviceName)).to.deep.equal([serviceName(web6)]);
      expect(ipvs.service(web)).to.equal(undefined);
      ipvs.flush();
      expect(ipvs.services()).to.deep.equal([]);
    });
  });

  describe('destinations', () => {
    beforeEach(() => {
      ipvs.addService({ ...web, scheduler: 'rr' });
    });

    it('change between the forwarding methods, as ipvsadm shows', () => {
      for (const from of ['masquerade', 'tunnel', 'direct'] as const) {
        for (const to of ['masquerade', 'tunnel', 'direct'] as const) {
          // Direct and tunnelled packets keep their port.
          ipvs.addDestination(web, { ...real(2), port: 80, weight: 3, forwarding: from });
          ipvs.setDestination(web, { ...real(2), port: 80, weight: 4, forwarding: to });
          const flag = { masquerade: '-m', tunnel: '-i', direct: '-g' }[to];
          expect(saved()[1]?.replace(' --tun-type ipip', '')).to.equal(
            `-a -t 10.0.0.100:80 -r 10.0.0.2:80 ${flag} -w 4`,
          );
          expect(ipvs.destinations(web)[0]).to.include({ forwarding: to, weight: 4, address: '10.0.0.2', port: 80 });
          ipvs.deleteDestination(web, { address: '10.0.0.2', port: 80 });
        }
      }
    });

    it('list newest first, with thresholds and weight', () => {
      ipvs.addDestination(web, real(2));
      ipvs.addDestination(web, { ...real(3), weight: 65_536, upperThreshold: 100, lowerThreshold: 50 });
      expect(ipvs.destinations(web).map(({ stats, ...destination }) => destination)).to.deep.equal([
        {
          ...{ address: '10.0.0.3', port: 30080, weight: 65_536, forwarding: 'masquerade' },
          ...{ upperThreshold: 100, lowerThreshold: 50 },
          ...{ activeConnections: 0, inactiveConnections: 0, persistentConnections: 0 },
        },
        {
          ...{ address: '10.0.0.2', port: 30080, weight: 1, forwarding: 'masquerade' },
          ...{ upperThreshold: 0, lowerThreshold: 0 },
          ...{ activeConnections: 0, inactiveConnections: 0, persistentConnections: 0 },
        },
      ]);
      expect(saved()).to.include('-a -t 10.0.0.100:80 -r 10.0.0.3:30080 -m -w 65536');
      expect(ipvsadm('-Ln', '--thresholds')).to.match(/-> 10\.0\.0\.3:30080 +100 +50 /);
    });

    it('of IPv6', () => {
      ipvs.addService({ ...web6, scheduler: 'rr' });
      ipvs.addDestination(web6, { address: '2001:db8::2', port: 30080, weight: 5 });
      expect(ipvs.destinations(web6)[0]).to.include({ address: '2001:db8::2', port: 30080, weight: 5 });
      expect(saved()).to.include('-a -t [2001:db8::100]:80 -r [2001:db8::2]:30080 -m -w 5');
    });

    it('of the other family, through a tunnel', () => {
      ipvs.addDestination(web, { address: '2001:db8::2', port: 80, weight: 1, forwarding: 'tunnel' });
      expect(ipvs.destinations(web)[0]).to.include({ address: '2001:db8::2', forwarding: 'tunnel' });
      ipvs.setDestination(web, { address: '2001:db8::2', port: 80, weight: 2, forwarding: 'tunnel' });
      ipvs.deleteDestination(web, { address: '2001:db8::2', port: 80 });
      expect(ipvs.destinations(web)).to.deep.equal([]);
    });

    it('through each kind of tunnel', () => {
      for (const tunnel of [
        { type: 'ipip', port: 0, checksum: 'none' },
        { type: 'gue', port: 6080, checksum: 'full' },
        { type: 'gue', port: 6080, checksum: 'remote' },
        { type: 'gre', port: 0, checksum: 'full' },
      ] as const) {
        ipvs.addDestination(web, { ...real(2), port: 80, forwarding: 'tunnel', tunnel });
        expect(ipvs.destinations(web)[0]?.tunnel).to.deep.equal(tunnel);
        ipvs.deleteDestination(web, { ...real(2), port: 80 });
      }
    });

    it('of a missing service are none', () => {
      expect(ipvs.destinations(web6)).to.deep.equal([]);
    });
  });

  describe('refuses', () => {
    beforeEach(() => {
      ipvs.addService({ ...web, scheduler: 'rr' });
      ipvs.addDestination(web, real(2));
    });
    const cases: [what: string, call: () => unknown, code: string, problem?: IpvsProblem][] = [
      ['a service twice', () => ipvs.addService({ ...web, scheduler: 'wlc' }), 'EEXIST', 'exists'],
      ['an unknown scheduler', () => ipvs.addService({ ...web6, scheduler: 'nosuch' }), 'ENOENT', 'no-scheduler'],
      ['changing to an unknown one', () => ipvs.setService({ ...web, scheduler: 'nosuch' }), 'ENOENT', 'no-scheduler'],
      ['setting a missing service', () => ipvs.setService({ ...web6, scheduler: 'rr' }), 'ESRCH', 'no-service'],
      ['deleting a missing service', () => ipvs.deleteService(web6), 'ESRCH', 'no-service'],
      ['zeroing a missing service', () => ipvs.zero(web6), 'ESRCH', 'no-service'],
      ['a destination twice', () => ipvs.addDestination(web, real(2)), 'EEXIST', 'exists'],
      ['a destination of nothing', () => ipvs.addDestination({ ...web, port: 1 }, real(2)), 'ESRCH', 'no-service'],
      ['setting a missing destination', () => ipvs.setDestination(web, real(3)), 'ENOENT', 'no-destination'],
      ['deleting a missing destination', () => ipvs.deleteDestination(web, real(3)), 'ENOENT', 'no-destination'],
      ['a multicast destination', () => ipvs.addDestination(web, { ...real(3), address: '224.0.0.1' }), 'EINVAL'],
      [
        'a lower threshold above the upper',
        () => ipvs.addDestination(web, { ...real(3), lowerThreshold: 5 }),
        'ERANGE',
      ],
      ['a family without tunnel', () => ipvs.addDestination(web, { ...real(3), address: '2001:db8::2' }), 'EINVAL'],
      ['a daemon on no interface', () => ipvs.startDaemon({ state: 'master', interface: 'no', syncId: 1 }), 'ENODEV'],
      ['stopping what does not run', () => ipvs.stopDaemon('backup'), 'ESRCH', 'no-daemon'],
    ];
    for (const [what, call, code, problem] of cases) {
      it(`${what}: ${code}`, () => {
        const error = thrown(call);
        expect([error.code, error.problem, error.name]).to.deep.equal([code, problem, 'IpvsError']);
        expect(ipvs.service(web)?.scheduler).to.equal('rr');
      });
    }

    it('destinations while lo is down, and says so', () => {
      const fresh = makeNetns();
      const there = new Ipvs({ netns: fresh.name });
      try {
        there.addService({ ...web, scheduler: 'rr' });
        const error = thrown(() => there.addDestination(web, real(2)));
        expect(error.code).to.equal('EINVAL');
        expect(error.message).to.contain('none while lo is down');
      } finally {
        there.close();
        fresh.delete();
      }
    });

    it('a process without the capability', () => {
      const program = `
        const { Ipvs } = await import(${JSON.stringify(import.meta.resolve('./ipvs.js'))});
        try { new Ipvs().services(); } catch (error) { console.log(error.message); }`;
      const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups', '--inh-caps=-all'];
      const output = run('setpriv', [...nobody, '--', process.execPath, '--input-type=module', '-e', program]);
      expect(output).to.contain('list services: EPERM').and.to.contain('CAP_NET_ADMIN');
    });
  });

  describe('apply', () => {
    it('adds a thousand services with five thousand destinations at once', () => {
      const services = Array.from({ length: 1000 }, (_, i) => ({ ...web, port: i + 1, scheduler: 'rr' }));
      const operations: IpvsOperation[] = services.flatMap((service) => [
        { kind: 'add-service' as const, service },
        ...[2, 3, 4, 5, 6].map((n) => ({ kind: 'add-destination' as const, service, destination: real(n) })),
      ]);
      expect(ipvs.apply(operations)).to.deep.equal([]);
      expect(ipvs.services()).to.have.length(1000);
      expect(ipvs.destinations(services[999]!).map(({ address }) => address)).to.deep.equal(
        [6, 5, 4, 3, 2].map((n) => real(n).address),
      );
      expect(saved()).to.have.length(6000);
    });

    it('does all but the one that is refused', () => {
      const operations = Array.from({ length: 1000 }, (_, i) => ({
        kind: 'add-service' as const,
        service: { ...web, port: i + 1, scheduler: 'rr' },
      }));
      operations[500] = operations[1]!;
      const failures = ipvs.apply(operations);
      expect(failures.map(({ index, error }) => [index, error.problem])).to.deep.equal([[500, 'exists']]);
      expect(ipvs.services()).to.have.length(999);
    });

    it('loses no refusal of ten thousand', () => {
      const operations = Array.from({ length: 10_000 }, () => ({ kind: 'delete-service' as const, service: web }));
      expect(ipvs.apply(operations).map(({ index }) => index)).to.deep.equal([...operations.keys()]);
    });
  });

  it('counts connections, packets and bytes, and zeroes the counts', async () => {
    for (const address of [web.address, '10.0.0.2']) rtnetlink.addAddress({ index: 1, address, prefixLength: 32 });
    ipvs.addService({ ...web, scheduler: 'rr' });
    ipvs.addDestination(web, real(2));
    const server = inNetns(netns.name, () => createServer().listen(30080));
    try {
      const accepted = new Promise((resolve) => server.once('connection', resolve));
      runIn(netns.name, 'bash', '-c', 'exec 3<>/dev/tcp/10.0.0.100/80');
      await accepted;
      // The kernel adds the counts of its processors up every two seconds, and there is no event for that.
      while (ipvs.service(web)?.stats?.connections === 0n) await setTimeout(50);
      const service = ipvs.service(web)!.stats!;
      expect(service.connections).to.equal(1n);
      expect(service.inPackets > 0n && service.inBytes >= service.inPackets * 40n).to.equal(true);
      const [destination] = ipvs.destinations(web);
      expect(destination!.stats!.connections).to.equal(1n);
      expect(destination!.activeConnections + destination!.inactiveConnections).to.equal(1);
      ipvs.zero(web);
      expect(ipvs.service(web)!.stats!.connections).to.equal(0n);
      ipvs.zero();
    } finally {
      server.close();
    }
  });

  it('sets timeouts as ipvsadm reads them', () => {
    ipvs.setTimeouts({ tcp: 7200, tcpFin: 66, udp: 55 });
    ipvs.setTimeouts({ tcpFin: 77 });
    expect(ipvs.getTimeouts()).to.deep.equal({ tcp: 7200, tcpFin: 77, udp: 55 });
    expect(ipvsadm('-L', '--timeout')).to.contain('7200 77 55');
  });

  describe('daemons', () => {
    it('start, show and stop, the two side by side', () => {
      rtnetlink.addAddress({ index: 1, address: '10.0.0.1', prefixLength: 24 });
      ipvs.startDaemon({ state: 'master', interface: 'lo', syncId: 51 });
      ipvs.startDaemon({
        state: 'backup',
        interface: 'lo',
        syncId: 52,
        group: '224.0.0.82',
        port: 9999,
        ttl: 3,
        maxLength: 1200,
      });
      const daemons = ipvs.daemons();
      expect(daemons).to.have.length(2);
      expect(daemons.find(({ state }) => state === 'master')).to.include({
        interface: 'lo',
        syncId: 51,
        port: 8848,
        group: '224.0.0.81',
      });
      expect(daemons.find(({ state }) => state === 'backup')).to.include({
        syncId: 52,
        group: '224.0.0.82',
        port: 9999,
        ttl: 3,
        maxLength: 1200,
      });
      expect(ipvsadm('-L', '--daemon')).to.match(/master sync daemon \(mcast=lo, syncid=51/);
      expect(thrown(() => ipvs.startDaemon({ state: 'master', interface: 'lo', syncId: 1 })).problem).to.equal(
        'exists',
      );
      ipvs.stopDaemon('master');
      ipvs.stopDaemon('backup');
      expect(ipvs.daemons()).to.deep.equal([]);
    });

    it('stop at once after they were started, though the kernel may not answer', () => {
      rtnetlink.addAddress({ index: 1, address: '10.0.0.1', prefixLength: 24 });
      for (let i = 0; i < 3; i++) {
        ipvs.startDaemon({ state: 'master', interface: 'lo', syncId: 51 });
        ipvs.stopDaemon('master');
        expect(ipvs.daemons()).to.deep.equal([]);
      }
    });
  });

  it('has a table in each network namespace', () => {
    const other = makeNetns();
    const there = new Ipvs({ netns: other.name });
    try {
      ipvs.addService({ ...web, scheduler: 'rr' });
      expect(there.services()).to.deep.equal([]);
    } finally {
      there.close();
      other.delete();
    }
  });

  it('does what the kernel in memory does, whatever is asked', () => {
    const endpoints = fc.record({ address: fc.constantFrom('10.0.0.2', '10.0.0.3'), port: fc.constantFrom(80, 8080) });
    const service = fc.constantFrom(web, { ...web, port: 81 }, { ...web, protocol: 'udp' as const }, web6);
    const operation: fc.Arbitrary<IpvsOperation> = fc.oneof(
      fc.record({
        kind: fc.constantFrom('add-service' as const, 'set-service' as const),
        service: fc
          .tuple(service, fc.constantFrom('rr', 'mh', 'nosuch'), fc.constantFrom(0, 0x18), fc.constantFrom(0, 60))
          .map(([key, scheduler, flags, persistenceTimeoutSeconds]) => ({
            ...key,
            scheduler,
            flags,
            persistenceTimeoutSeconds,
          })),
      }),
      fc.record({ kind: fc.constant('delete-service' as const), service }),
      fc.record({
        kind: fc.constantFrom('add-destination' as const, 'set-destination' as const),
        service: service.filter(({ family }) => family === 'ipv4'),
        destination: fc
          .tuple(endpoints, fc.nat(3), fc.constantFrom('masquerade' as const, 'tunnel' as const), fc.nat(2), fc.nat(2))
          .map(([endpoint, weight, forwarding, upperThreshold, lowerThreshold]) => ({
            ...{ ...endpoint, weight, forwarding, upperThreshold, lowerThreshold },
          })),
      }),
      fc.record({ kind: fc.constant('delete-destination' as const), service, destination: endpoints }),
    );
    const state = (side: Ipvs) =>
      side
        .services()
        .map(({ stats, ...settings }) => ({
          ...settings,
          destinations: side.destinations(settings).map(({ stats: _, tunnel, ...destination }) => destination),
        }))
        .sort((a, b) => (serviceName(a) < serviceName(b) ? -1 : 1));
    const failures = (side: Ipvs, operations: IpvsOperation[]) =>
      side.apply(operations).map(({ index, error }) => [index, error.code, error.problem]);
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 40 }), (operations) => {
        ipvs.flush();
        const fake = new Ipvs({ transport: new FakeIpvsKernel().transport() });
        expect(failures(ipvs, operations)).to.deep.equal(failures(fake, operations));
        expect(state(ipvs)).to.deep.equal(state(fake));
      }),
      { numRuns: 100 },
    );
  });
});
