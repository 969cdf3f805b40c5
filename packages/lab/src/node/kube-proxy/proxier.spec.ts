import type { V1EndpointSlice, V1Service } from '@kubernetes/client-node';
import { expect } from 'chai';
import { ProxyHealth } from './health.js';
import { Leftovers, NftablesMode } from './nftables-mode.js';
import { Proxier } from './proxier.js';
import { buildRuleset } from './ruleset.js';
import { servicePorts } from './service-ports.js';

const node = { name: 'n1', address: '10.77.0.11', clusterCidr: '10.244.0.0/16' };
const service = (sessionAffinity = 'None'): V1Service => ({
  metadata: { name: 'web', namespace: 'default' },
  spec: { clusterIP: '10.96.0.5', ports: [{ port: 80 }], sessionAffinity },
});
const slice = (...addresses: string[]): V1EndpointSlice => ({
  metadata: { name: 'web-0', namespace: 'default', labels: { 'kubernetes.io/service-name': 'web' } },
  addressType: 'IPv4',
  ports: [{ name: '', port: 80, protocol: 'TCP' }],
  endpoints: addresses.map((address) => ({ addresses: [address] })),
});
const ruleset = (affinity: string, ...addresses: string[]) =>
  buildRuleset(servicePorts([service(affinity)], [slice(...addresses)], node), node);

describe('Proxier', () => {
  it('puts changes that come together into one transaction, and those that come meanwhile into the next', async () => {
    const loads: string[] = [];
    let slices = [slice('10.244.1.1')];
    let finishFirst = () => {};
    const secondSync = new Promise<void>((resolve) => {
      let syncs = 0;
      const proxier = new Proxier({
        node,
        services: () => [service()],
        slices: () => slices,
        mode: new NftablesMode(node, (text) => {
          loads.push(text);
          if (loads.length > 1) return Promise.resolve();
          slices = [slice('10.244.1.1', '10.244.1.2')];
          proxier.queue();
          return new Promise((done) => {
            finishFirst = done;
            setImmediate(() => finishFirst());
          });
        }),
        health: new ProxyHealth(() => 0),
        onSynced: () => {
          syncs += 1;
          if (syncs === 2) resolve();
        },
        onError: (error) => expect.fail(error.message),
      });
      proxier.queue();
      proxier.queue();
    });
    await secondSync;
    expect(loads).to.have.length(2);
    expect(loads[0]).not.to.contain('10.244.1.2');
    expect(loads[1]).to.contain('10.244.1.2');
  });

  it('tries again after nft failed, and is unhealthy only when a change waits for long', async () => {
    let nowMs = 1_000;
    const health = new ProxyHealth(() => nowMs);
    const errors: string[] = [];
    let fail = true;
    await new Promise<void>((resolve) => {
      const proxier = new Proxier({
        node,
        services: () => [service()],
        slices: () => [],
        mode: { load: () => (fail ? Promise.reject(new Error('nft: no')) : Promise.resolve()) },
        health,
        retryMs: 1,
        onSynced: () => resolve(),
        onError: (error) => {
          errors.push(error.message);
          expect(health.healthz().status).to.equal(200);
          nowMs += 60_000;
          expect(health.healthz().status).to.equal(503);
          fail = false;
        },
      });
      proxier.queue();
    });
    expect(errors).to.deep.equal(['nft: no']);
    expect(health.healthz().status).to.equal(200);
  });
});

describe('Leftovers', () => {
  it('lets chains of vanished endpoints go only a second after nothing refers to them', () => {
    const leftovers = new Leftovers();
    const [both, one] = [ruleset('None', '10.244.1.1', '10.244.1.2'), ruleset('None', '10.244.1.1')];
    const none = { chains: [], affinitySets: [] };
    const gone = 'endpoint-default/web/tcp/__10.244.1.2/80';
    leftovers.loaded(both, none, 0);
    expect(leftovers.removable(one, 5_000)).to.deep.equal(none);
    leftovers.loaded(one, none, 5_000);
    expect(leftovers.removable(one, 5_500)).to.deep.equal(none);
    expect(leftovers.removable(one, 6_500)).to.deep.equal({ chains: [gone], affinitySets: [] });
    expect(leftovers.removable(both, 6_500), 'it came back').to.deep.equal(none);
    leftovers.loaded(one, { chains: [gone], affinitySets: [] }, 6_500);
    expect(leftovers.removable(one, 9_000)).to.deep.equal(none);
  });

  it('lets the affinity set of a vanished endpoint go at once', () => {
    const leftovers = new Leftovers();
    leftovers.loaded(ruleset('ClientIP', '10.244.1.1'), { chains: [], affinitySets: [] }, 0);
    expect(leftovers.removable(ruleset('ClientIP', '10.244.1.3'), 1).affinitySets).to.deep.equal([
      'affinity-default/web/tcp/__10.244.1.1/80/10800',
    ]);
  });
});
