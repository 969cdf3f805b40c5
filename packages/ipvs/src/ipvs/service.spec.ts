import { completeService, ipvsServiceFlags } from '@fairlead/netlink';
import { expect } from 'chai';
import fc from 'fast-check';
import { virtualServers } from '../arbitraries.spec.helpers.js';
import { effectiveFlags, fromIpvsService, isAsWritten, toIpvsService } from './service.js';

describe('a virtual server in IPVS', function () {
  this.timeout(60_000); // also where the kernel's tests run, in an emulated machine

  it('comes back as it was written', () => {
    fc.assert(
      fc.property(virtualServers, (servers) => {
        for (const { realServers: _, ...settings } of servers) {
          const service = completeService(toIpvsService(settings));
          expect(fromIpvsService(service)).to.deep.equal(settings);
          expect(isAsWritten(service)).to.equal(true);
        }
      }),
    );
  });

  it('has the flags that its scheduler knows, and always its fallback', () => {
    expect(effectiveFlags('rr', ['mh-port'])).to.deep.equal([]);
    expect(effectiveFlags('mh')).to.deep.equal(['mh-fallback']);
    expect(effectiveFlags('mh', ['mh-port', 'sh-port'])).to.deep.equal(['mh-fallback', 'mh-port']);
    expect(effectiveFlags('sh', ['sh-port'])).to.deep.equal(['sh-fallback', 'sh-port']);
  });

  it('is told from what we never write', () => {
    const web = { family: 'ipv4', protocol: 'tcp', address: '10.77.0.200', port: 80, scheduler: 'rr' } as const;
    const persistent = { ...web, persistenceTimeoutSeconds: 300 };
    expect(isAsWritten(completeService(web))).to.equal(true);
    expect(isAsWritten(completeService({ ...web, flags: ipvsServiceFlags.onePacket }))).to.equal(false);
    expect(isAsWritten(completeService({ ...web, flags: ipvsServiceFlags.mhPort }))).to.equal(false);
    expect(isAsWritten(completeService({ ...web, scheduler: 'mh', flags: ipvsServiceFlags.mhPort }))).to.equal(true);
    expect(isAsWritten(completeService({ ...persistent, netmask: 0xffffff00 }))).to.equal(false);
    expect(isAsWritten(completeService({ ...web, persistenceEngine: 'sip' }))).to.equal(false);
    expect(isAsWritten({ ...completeService(persistent), flags: 0 })).to.equal(false);
  });
});
