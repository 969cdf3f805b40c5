import { expect } from 'chai';
import { fakeSystemError } from '../fake-transport.js';
import { commands, ipvsServiceFlags } from './constants.js';
import type { IpvsError, IpvsProblem } from './errors.js';
import { FakeIpvsKernel } from './fake-kernel.js';
import { Ipvs } from './ipvs.js';
import { completeService, endpointName, type IpvsServiceKey, sameServiceSettings, serviceName } from './types.js';

const web: IpvsServiceKey = { family: 'ipv4', protocol: 'tcp', address: '10.0.0.100', port: 80 };
const dns: IpvsServiceKey = { family: 'ipv6', protocol: 'udp', address: '2001:db8::1', port: 53 };
const real = (n: number) => ({ address: `10.0.0.${n}`, port: 30080, weight: 1 });

function thrown(call: () => unknown): IpvsError {
  try {
    call();
  } catch (error) {
    return error as IpvsError;
  }
  throw new Error('nothing was thrown');
}

describe('Ipvs', () => {
  let kernel: FakeIpvsKernel;
  let ipvs: Ipvs;
  let transport: ReturnType<FakeIpvsKernel['transport']>;

  beforeEach(() => {
    kernel = new FakeIpvsKernel();
    transport = kernel.transport();
    ipvs = new Ipvs({ transport });
  });

  it('says in one line that a kernel has no IPVS, and closes its socket', () => {
    kernel.hasIpvs = false;
    const other = kernel.transport();
    const error = thrown(() => new Ipvs({ transport: other }));
    expect(error).to.include({ code: 'FL_NO_IPVS', problem: 'no-ipvs', name: 'IpvsError' });
    expect(error.message).to.equal(
      'open IPVS: FL_NO_IPVS: this kernel has no IPVS: load module ip_vs ("modprobe ip_vs"), or use a kernel that has it',
    );
    expect(other.closed).to.equal(true);
  });

  it('notices that IPVS was unloaded later', () => {
    kernel.hasIpvs = false;
    expect(thrown(() => ipvs.services()).code).to.equal('FL_NO_IPVS');
    expect(thrown(() => ipvs.addDestination(web, real(1))).code).to.equal('FL_NO_IPVS');
  });

  it('adds, sets, lists and deletes', () => {
    ipvs.addService({ ...web, scheduler: 'rr' });
    ipvs.addService({ ...dns, scheduler: 'mh', flags: ipvsServiceFlags.mhPort, persistenceTimeoutSeconds: 60 });
    ipvs.setService({ ...web, scheduler: 'wlc' });
    expect(ipvs.services()).to.deep.equal([
      { ...web, scheduler: 'wlc', flags: 0, persistenceTimeoutSeconds: 0, netmask: 0xffffffff },
      { ...dns, scheduler: 'mh', flags: 0x11, persistenceTimeoutSeconds: 60, netmask: 128 },
    ]);
    expect(ipvs.service(dns)).to.include({ scheduler: 'mh' });
    ipvs.deleteService(dns);
    expect(ipvs.service(dns)).to.equal(undefined);
    ipvs.addDestination(web, real(1));
    ipvs.addDestination(web, real(2));
    ipvs.setDestination(web, { ...real(1), weight: 0, forwarding: 'direct' });
    expect(
      ipvs.destinations(web).map(({ address, weight, forwarding }) => [address, weight, forwarding]),
    ).to.deep.equal([
      ['10.0.0.2', 1, 'masquerade'],
      ['10.0.0.1', 0, 'direct'],
    ]);
    ipvs.deleteDestination(web, real(1));
    expect(ipvs.destinations(web)).to.have.length(1);
    expect(ipvs.destinations(dns)).to.deep.equal([]);
    ipvs.flush();
    expect(ipvs.services()).to.deep.equal([]);
  });

  describe('refusals', () => {
    beforeEach(() => {
      ipvs.addService({ ...web, scheduler: 'rr' });
      ipvs.addDestination(web, real(1));
    });
    const cases: [what: string, call: () => void, code: string, problem: IpvsProblem, message: string][] = [
      [
        'adding a service twice',
        () => ipvs.addService({ ...web, scheduler: 'rr' }),
        'EEXIST',
        'exists',
        'add service 10.0.0.100:80/tcp with scheduler rr: EEXIST: it exists already',
      ],
      [
        'an unknown scheduler',
        () => ipvs.setService({ ...web, scheduler: 'xx' }),
        'ENOENT',
        'no-scheduler',
        'set service 10.0.0.100:80/tcp with scheduler xx: ENOENT: the kernel has no such scheduler',
      ],
      [
        'setting a missing service',
        () => ipvs.setService({ ...dns, scheduler: 'rr' }),
        'ESRCH',
        'no-service',
        'set service [2001:db8::1]:53/udp with scheduler rr: ESRCH: there is no such service',
      ],
      ['deleting a missing service', () => ipvs.deleteService(dns), 'ESRCH', 'no-service', 'delete service'],
      ['zeroing a missing service', () => ipvs.zero(dns), 'ESRCH', 'no-service', 'zero counters of service'],
      [
        'adding a destination to nothing',
        () => ipvs.addDestination(dns, real(1)),
        'ESRCH',
        'no-service',
        'add destination 10.0.0.1:30080 of [2001:db8::1]:53/udp',
      ],
      ['adding a destination twice', () => ipvs.addDestination(web, real(1)), 'EEXIST', 'exists', 'add destination'],
      [
        'setting a missing destination',
        () => ipvs.setDestination(web, real(2)),
        'ENOENT',
        'no-destination',
        'set destination 10.0.0.2:30080 of 10.0.0.100:80/tcp: ENOENT: the service has no such destination',
      ],
      [
        'deleting a missing destination',
        () => ipvs.deleteDestination(web, real(2)),
        'ENOENT',
        'no-destination',
        'delete',
      ],
      [
        'stopping a daemon that does not run',
        () => ipvs.stopDaemon('master'),
        'ESRCH',
        'no-daemon',
        'stop master daemon',
      ],
    ];
    for (const [what, call, code, problem, message] of cases) {
      it(`${what} is ${problem}`, () => {
        const error = thrown(call);
        expect(error).to.include({ name: 'IpvsError', code, problem });
        expect(error.message).to.contain(message);
      });
    }

    it('EPERM says which capability, and where', () => {
      kernel.privileged = false;
      const error = thrown(() => ipvs.services());
      expect(error).to.include({ code: 'EPERM' });
      expect(error.message).to.contain('CAP_NET_ADMIN in the initial user namespace');
      expect(error).not.to.have.property('problem');
    });
  });

  describe('apply', () => {
    it('sends everything in one datagram, in order', () => {
      const sent = transport.sends;
      const failures = ipvs.apply([
        { kind: 'add-service', service: { ...web, scheduler: 'rr' } },
        { kind: 'add-destination', service: web, destination: real(1) },
        { kind: 'add-destination', service: web, destination: real(2) },
        { kind: 'set-destination', service: web, destination: { ...real(1), weight: 7 } },
        { kind: 'delete-destination', service: web, destination: real(2) },
        { kind: 'set-service', service: { ...web, scheduler: 'mh' } },
      ]);
      expect(failures).to.deep.equal([]);
      expect(transport.sends - sent).to.equal(1);
      expect(ipvs.service(web)?.scheduler).to.equal('mh');
      expect(ipvs.destinations(web).map(({ address, weight }) => [address, weight])).to.deep.equal([['10.0.0.1', 7]]);
      expect(ipvs.apply([{ kind: 'delete-service', service: web }])).to.deep.equal([]);
    });

    it('goes on after a refusal and returns it, explained by its operation', () => {
      const operations = Array.from({ length: 1000 }, (_, i) => ({
        kind: 'add-service' as const,
        service: { ...web, port: i + 1, scheduler: 'rr' },
      }));
      operations[500] = operations[0]!;
      const failures = ipvs.apply([...operations, { kind: 'delete-destination', service: web, destination: real(1) }]);
      expect(failures.map(({ index, error }) => [index, error.problem])).to.deep.equal([
        [500, 'exists'],
        [1000, 'no-destination'],
      ]);
      expect(failures[0]!.operation).to.equal(operations[0]);
      expect(ipvs.services()).to.have.length(999);
    });

    it('does nothing if one operation is not well-formed', () => {
      const bad = { kind: 'add-service', service: { ...web, port: -1, scheduler: 'rr' } } as const;
      expect(() => ipvs.apply([{ kind: 'add-service', service: { ...web, scheduler: 'rr' } }, bad])).to.throw(
        RangeError,
      );
      expect(ipvs.services()).to.deep.equal([]);
    });

    it('throws when refusals were lost, and can be used again', () => {
      transport.queue(fakeSystemError('ENOBUFS'));
      const add = { kind: 'add-service', service: { ...web, scheduler: 'rr' } } as const;
      expect(() => ipvs.apply([add, add]))
        .to.throw('read the state again')
        .that.includes({ code: 'ENOBUFS' });
      expect(ipvs.services()).to.have.length(1);
    });
  });

  it('shows an entry once though the kernel repeats it', () => {
    ipvs.addService({ ...web, scheduler: 'rr' });
    const [entry] = kernel.table.values();
    kernel.table.set('again', entry!);
    expect(ipvs.services()).to.have.length(1);
  });

  it('reads info, and sets timeouts where 0 or nothing keeps', () => {
    expect(ipvs.info()).to.deep.equal({ version: '1.2.1', connectionTableSize: 4096 });
    ipvs.setTimeouts({ tcp: 66, tcpFin: 66, udp: 66 });
    ipvs.setTimeouts({ tcp: 77, tcpFin: 0 });
    expect(ipvs.getTimeouts()).to.deep.equal({ tcp: 77, tcpFin: 66, udp: 66 });
    expect(() => ipvs.setTimeouts({ udp: -1 })).to.throw(RangeError, 'timeout udp');
  });

  it('zeroes one service or all', () => {
    ipvs.addService({ ...web, scheduler: 'rr' });
    ipvs.zero(web);
    ipvs.zero();
  });

  it('starts, lists and stops daemons', () => {
    const daemon = { state: 'backup', interface: 'lo', syncId: 51, port: 9999 } as const;
    ipvs.startDaemon(daemon);
    expect(ipvs.daemons()).to.deep.equal([daemon]);
    expect(thrown(() => ipvs.startDaemon(daemon))).to.include({ code: 'EEXIST', problem: 'exists' });
    ipvs.stopDaemon('backup');
    expect(ipvs.daemons()).to.deep.equal([]);
  });

  describe('stopping a daemon without getting an answer', () => {
    function unanswered(alsoStop: boolean): Ipvs {
      const deaf = kernel.transport();
      const send = deaf.send.bind(deaf);
      deaf.send = (data) => {
        if (data[16] !== commands.deleteDaemon) send(data);
        else if (alsoStop) kernel.daemons.clear();
      };
      return new Ipvs({ transport: deaf });
    }

    it('is success if the daemon is gone', () => {
      ipvs.startDaemon({ state: 'master', interface: 'lo', syncId: 1 });
      unanswered(true).stopDaemon('master');
    });

    it('is a timeout if it is still there', () => {
      ipvs.startDaemon({ state: 'master', interface: 'lo', syncId: 1 });
      expect(thrown(() => unanswered(false).stopDaemon('master'))).to.include({ code: 'ETIMEDOUT' });
    });
  });
});

describe('names of services and destinations', () => {
  it('are those of the field', () => {
    expect([web, dns, { ...web, fwmark: 5 }].map(serviceName)).to.deep.equal([
      '10.0.0.100:80/tcp',
      '[2001:db8::1]:53/udp',
      'ipv4 fwmark 5',
    ]);
    expect(endpointName({ address: '2001:db8::2', port: 80 })).to.equal('[2001:db8::2]:80');
  });
});

describe('sameServiceSettings', () => {
  const actual = completeService({ ...web, scheduler: 'rr' });
  it('holds for what was left out', () => {
    expect(sameServiceSettings(actual, { ...web, scheduler: 'rr', flags: 2 })).to.equal(true);
  });
  for (const change of [
    { scheduler: 'mh' },
    { flags: 4 },
    { persistenceTimeoutSeconds: 10 },
    { netmask: 0xffffff00 },
    { persistenceEngine: 'sip' },
  ]) {
    it(`fails for ${JSON.stringify(change)}`, () => {
      expect(sameServiceSettings(actual, { ...web, scheduler: 'rr', ...change })).to.equal(false);
    });
  }
});

describe('Ipvs.table without /proc', () => {
  it('lists the destinations of each service by netlink', () => {
    const ipvs = new Ipvs({ transport: new FakeIpvsKernel().transport() });
    ipvs.addService({ ...web, scheduler: 'rr' });
    ipvs.addService({ ...dns, scheduler: 'rr' });
    ipvs.addDestination(web, real(2));
    ipvs.addDestination(web, real(3));
    expect(
      ipvs.table().map(({ service, destinations }) => [service.address, destinations.map(({ address }) => address)]),
    ).to.deep.equal([
      [web.address, ['10.0.0.3', '10.0.0.2']],
      [dns.address, []],
    ]);
  });
});
