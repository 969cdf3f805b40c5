import { expect } from 'chai';
import { Expectations, holds } from './expectations.js';
import type { ServicePort } from './kube-proxy/service-ports.js';

const port = (service: string, endpoints: number, loadBalancerVips: string[] = []) =>
  ({
    service,
    loadBalancerVips,
    clusterEndpoints: Array.from({ length: endpoints }, () => ({})),
    localEndpoints: [],
  }) as unknown as ServicePort;

describe('what is expected of a node’s rules', () => {
  for (const { title, ports, expectation, expected } of [
    { title: 'a Service that is there', ports: [port('a/x', 0)], expectation: {}, expected: true },
    { title: 'a Service that is not there', ports: [], expectation: {}, expected: false },
    { title: 'the number of endpoints', ports: [port('a/x', 2)], expectation: { endpoints: 2 }, expected: true },
    { title: 'another number', ports: [port('a/x', 2)], expectation: { endpoints: 1 }, expected: false },
    { title: 'only one port', ports: [port('a/x', 2), port('a/x', 1)], expectation: { endpoints: 2 }, expected: false },
    { title: 'local ones', ports: [port('a/x', 2)], expectation: { localEndpoints: 1 }, expected: false },
    {
      title: 'VIPs in any order',
      ports: [port('a/x', 1, ['1', '2'])],
      expectation: { loadBalancerVips: ['2', '1'] },
      expected: true,
    },
    {
      title: 'more VIPs',
      ports: [port('a/x', 1, ['1', '2'])],
      expectation: { loadBalancerVips: ['1'] },
      expected: false,
    },
    { title: 'absence', ports: [port('a/y', 1)], expectation: { absent: true }, expected: true },
    { title: 'absence in vain', ports: [port('a/x', 1)], expectation: { absent: true }, expected: false },
  ]) {
    it(`${expected ? 'holds' : 'does not hold'} for ${title}`, () => {
      expect(holds(ports, { service: 'a/x', ...expectation })).to.equal(expected);
    });
  }

  it('is told once, at once or when the rules come', () => {
    const expectations = new Expectations();
    const told: string[] = [];
    expectations.expect({ service: 'a/x', endpoints: 1 }, () => told.push('one'));
    expectations.rulesLoaded([port('a/x', 0)]);
    expect(told).to.deep.equal([]);
    expectations.rulesLoaded([port('a/x', 1)]);
    expectations.rulesLoaded([port('a/x', 1)]);
    expectations.expect({ service: 'a/x' }, () => told.push('now'));
    expect(told).to.deep.equal(['one', 'now']);
  });
});
