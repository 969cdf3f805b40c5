import { expect } from 'chai';
import { healthCheckPorts, ProxyHealth } from './health.js';
import type { ServicePort } from './service-ports.js';

describe('ProxyHealth', () => {
  it('answers as kube-proxy does: JSON with the node’s eligibility', () => {
    const health = new ProxyHealth(() => 1_000);
    expect(health.healthz()).to.deep.equal({
      status: 200,
      body: '{"lastUpdated":"1970-01-01T00:00:01.000Z","currentTime":"1970-01-01T00:00:01.000Z","nodeEligible":true}',
    });
  });

  it('tells load balancers to leave a node that is going away, while kube-proxy itself is alive', () => {
    const health = new ProxyHealth(() => 0);
    const taints = [{ key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule' }];
    health.nodeSeen({ spec: { taints } });
    expect(health.healthz()).to.include({ status: 503 });
    expect(health.livez()).to.include({ status: 200 });
    health.nodeSeen({ spec: {} });
    expect(health.healthz()).to.include({ status: 200 });
  });

  it('is unhealthy when the oldest change has waited 60 s, however many came after it', () => {
    let nowMs = 0;
    const health = new ProxyHealth(() => nowMs);
    health.queued();
    nowMs = 59_999;
    health.queued();
    expect(health.healthy).to.equal(true);
    nowMs = 60_000;
    expect(health.healthy).to.equal(false);
    health.updated();
    expect(health.healthy).to.equal(true);
  });
});

describe('healthCheckPorts', () => {
  it('has one port for each Service with policy Local, counting its ready endpoints here', () => {
    const port = (service: string, healthCheckNodePort: number | undefined, localReady: number) =>
      ({ service, healthCheckNodePort, localReady }) as ServicePort;
    const ports = [port('a/x', 31_000, 1), port('a/x', 31_000, 2), port('a/y', undefined, 1), port('a/z', 31_001, 0)];
    expect([...healthCheckPorts(ports)]).to.deep.equal([
      [31_000, { service: 'a/x', endpoints: 2 }],
      [31_001, { service: 'a/z', endpoints: 0 }],
    ]);
  });
});
