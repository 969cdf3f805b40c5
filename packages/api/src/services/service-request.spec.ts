import { expect } from 'chai';
import { formatAddress } from '../addresses/address.js';
import { parseRequest, type RequestingService } from './service-request.js';

function service(spec: RequestingService['spec'], annotations: Record<string, string> = {}): RequestingService {
  return { metadata: { annotations }, spec: { ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack', ...spec } };
}

function asked(object: RequestingService) {
  const result = parseRequest(object);
  if (!result.ok) throw new Error(result.message);
  return { ...result.request, addresses: result.request.addresses.map(formatAddress) };
}

const ADDRESSES = 'fairlead.dev/addresses';
const dual = { ipFamilies: ['IPv6', 'IPv4'], ipFamilyPolicy: 'PreferDualStack' };

describe('parseRequest', () => {
  it('asks for one address of any pool when the Service says nothing', () => {
    expect(asked(service({}))).to.deep.equal({
      class: undefined,
      pool: undefined,
      addresses: [],
      families: ['ipv4'],
      need: 'all',
      sharing: undefined,
    });
  });

  const families: [string, RequestingService['spec'], string[], string][] = [
    ['an IPv6 Service', { ipFamilies: ['IPv6'] }, ['ipv6'], 'all'],
    ['SingleStack with two families', { ...dual, ipFamilyPolicy: 'SingleStack' }, ['ipv6'], 'all'],
    ['PreferDualStack, in its order', dual, ['ipv6', 'ipv4'], 'any'],
    ['PreferDualStack in a single-stack cluster', { ipFamilyPolicy: 'PreferDualStack' }, ['ipv4'], 'any'],
    ['RequireDualStack', { ...dual, ipFamilyPolicy: 'RequireDualStack' }, ['ipv6', 'ipv4'], 'all'],
    ['families of cluster addresses only', { ipFamilies: [], clusterIPs: ['fd00::1'] }, ['ipv6'], 'all'],
    ['a headless Service', { ipFamilies: [], clusterIPs: ['None'] }, ['ipv4'], 'all'],
  ];
  for (const [what, spec, expected, need] of families) {
    it(`asks for ${expected.join(' and ')} (${need}) for ${what}`, () => {
      expect(asked(service(spec))).to.deep.include({ families: expected, need });
    });
  }

  it('names a pool, and takes an empty annotation for none', () => {
    expect(asked(service({}, { 'fairlead.dev/address-pool': 'public' })).pool).to.equal('public');
    expect(asked(service({}, { 'fairlead.dev/address-pool': ' ', [ADDRESSES]: '' }))).to.deep.include({
      pool: undefined,
      addresses: [],
    });
  });

  it('asks for certain addresses, in the order of the families, and then for all of them', () => {
    expect(asked(service(dual, { [ADDRESSES]: '192.0.2.1, 2001:DB8::1' }))).to.deep.include({
      addresses: ['2001:db8::1', '192.0.2.1'],
      need: 'all',
    });
    expect(asked(service({ loadBalancerIP: '192.0.2.1' })).addresses).to.deep.equal(['192.0.2.1']);
  });

  it('takes the same address twice for one, and completes one place by the other', () => {
    const twice = service({ loadBalancerIP: '192.0.2.1' }, { [ADDRESSES]: '192.0.2.1' });
    expect(asked(twice).addresses).to.deep.equal(['192.0.2.1']);
    const halves = service({ ...dual, loadBalancerIP: '192.0.2.1' }, { [ADDRESSES]: '2001:db8::1' });
    expect(asked(halves).addresses).to.deep.equal(['2001:db8::1', '192.0.2.1']);
  });

  it('shares with ports, and with a selector where traffic is local', () => {
    const spec = { ports: [{ port: 80 }, { port: 53, protocol: 'UDP' }], selector: { b: '2', a: '1' } };
    const key = { 'fairlead.dev/sharing-key': 'k' };
    expect(asked(service(spec, key)).sharing).to.deep.equal({ key: 'k', ports: ['tcp/80', 'udp/53'], backend: '' });
    const local = asked(service({ ...spec, externalTrafficPolicy: 'Local' }, key)).sharing!;
    const same = asked(service({ selector: { a: '1', b: '2' }, externalTrafficPolicy: 'Local' }, key)).sharing!;
    expect(local.backend).to.equal(same.backend).and.not.equal('');
  });

  const refused: [string, RequestingService, string, RegExp][] = [
    [
      'two addresses of one family',
      service({}, { [ADDRESSES]: '192.0.2.1,192.0.2.2' }),
      'ContradictoryRequest',
      /asks for 192\.0\.2\.1 and annotation fairlead\.dev\/addresses for 192\.0\.2\.2; a Service gets one/,
    ],
    [
      'different addresses in two places',
      service({ loadBalancerIP: '192.0.2.9' }, { [ADDRESSES]: '192.0.2.1' }),
      'ContradictoryRequest',
      /annotation fairlead\.dev\/addresses asks for 192\.0\.2\.1 and spec\.loadBalancerIP for 192\.0\.2\.9/,
    ],
    [
      'an address of a family that the Service does not have',
      service({ loadBalancerIP: '2001:db8::1' }),
      'ContradictoryRequest',
      /spec\.loadBalancerIP asks for 2001:db8::1, but spec\.ipFamilies is IPv4 only/,
    ],
    [
      'dual stack of one family',
      service({ ipFamilyPolicy: 'RequireDualStack' }),
      'ContradictoryRequest',
      /RequireDualStack, but the Service has one IP family only \(IPv4\)/,
    ],
    ['what is no address', service({}, { [ADDRESSES]: '192.0.2' }), 'InvalidRequest', /addresses: "192\.0\.2" is not/],
    ['an empty entry', service({}, { [ADDRESSES]: '192.0.2.1,' }), 'InvalidRequest', /"" is not an IP address/],
  ];
  for (const [what, object, reason, message] of refused) {
    it(`refuses ${what}`, () => {
      const result = parseRequest(object);
      expect(result).to.include({ ok: false, reason });
      expect((result as { message: string }).message).to.match(message);
    });
  }
});
