import type { V1EndpointSlice, V1Service } from '@kubernetes/client-node';
import { expect } from 'chai';
import { renderRules } from './render.js';
import { buildRuleset, type Ruleset } from './ruleset.js';
import { servicePorts } from './service-ports.js';

const node = { name: 'n1', address: '10.77.0.11', clusterCidr: '10.244.0.0/16' };

interface ServiceOptions extends NonNullable<V1Service['spec']> {
  ingress?: { ip: string; ipMode?: string }[];
}
const service = ({ ingress, ...spec }: ServiceOptions = {}): V1Service => ({
  metadata: { name: 'web', namespace: 'default' },
  spec: { clusterIP: '10.96.0.5', ports: [{ name: 'http', port: 80 }], ...spec },
  ...(ingress ? { status: { loadBalancer: { ingress } } } : {}),
});
const nodePort = { type: 'NodePort', ports: [{ name: 'http', port: 80, nodePort: 30080 }] };
const balanced = { ...nodePort, type: 'LoadBalancer' };

/** Endpoints by name: `l1` is on this node, `r1` on another; `!` not ready, `~` terminating but serving. */
const slice = (...names: string[]): V1EndpointSlice => ({
  metadata: { name: 'web-0', namespace: 'default', labels: { 'kubernetes.io/service-name': 'web' } },
  addressType: 'IPv4',
  ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
  endpoints: names.map((name) => ({
    addresses: [`10.244.${name.startsWith('l') ? 1 : 2}.${name[1]}`],
    nodeName: name.startsWith('l') ? 'n1' : 'n2',
    conditions: { ready: name.length === 2, serving: !name.endsWith('!'), terminating: name.endsWith('~') },
  })),
});

const rulesetOf = (s: V1Service, ...endpoints: string[]): Ruleset =>
  buildRuleset(servicePorts([s], [slice(...endpoints)], node), node);

/** Addresses that a chain may send to. */
const targets = (ruleset: Ruleset, chain: string): string[] =>
  (ruleset.chains.get(chain) ?? [])
    .filter((rule) => rule.startsWith('numgen'))
    .flatMap((rule) => [...rule.matchAll(/__([0-9.]+)/g)].map((match) => match[1]!));

const ID = 'default/web/tcp/http';
const EXTERNAL = `goto external-${ID}`;

describe('kube-proxy rules', () => {
  describe('which endpoints a node chooses from', () => {
    for (const { title, endpoints, cluster } of [
      { title: 'ready ones on any node', endpoints: ['l1', 'r1'], cluster: ['10.244.1.1', '10.244.2.1'] },
      { title: 'none that is not ready', endpoints: ['l1!', 'r1'], cluster: ['10.244.2.1'] },
      { title: 'none that terminates while a ready one is there', endpoints: ['l1~', 'r1'], cluster: ['10.244.2.1'] },
      {
        title: 'those that terminate but serve when nothing else is left',
        endpoints: ['l1~', 'r1!'],
        cluster: ['10.244.1.1'],
      },
    ]) {
      it(title, () => {
        expect(targets(rulesetOf(service(nodePort), ...endpoints), `service-${ID}`)).to.deep.equal(cluster);
      });
    }

    it('only its own for traffic from outside under externalTrafficPolicy: Local', () => {
      const ruleset = rulesetOf(service({ ...nodePort, externalTrafficPolicy: 'Local' }), 'l1', 'r1');
      expect(targets(ruleset, `local-${ID}`)).to.deep.equal(['10.244.1.1']);
      expect(ruleset.chains.get(`external-${ID}`)?.at(-1)).to.equal(`goto local-${ID}`);
    });

    it('only its own for a ClusterIP under internalTrafficPolicy: Local', () => {
      const ruleset = rulesetOf(service({ internalTrafficPolicy: 'Local' }), 'l1', 'r1');
      expect(ruleset.maps['service-ips'].get('10.96.0.5 . tcp . 80')).to.equal(`goto local-${ID}`);
      expect(targets(ruleset, `local-${ID}`)).to.deep.equal(['10.244.1.1']);
    });
  });

  describe('what is taken over, and where it goes', () => {
    const vip = '10.77.0.240 . tcp . 80';
    for (const { title, spec, endpoints, map, key, verdict } of [
      {
        title: 'a ClusterIP',
        spec: {},
        endpoints: ['r1'],
        map: 'service-ips',
        key: '10.96.0.5 . tcp . 80',
        verdict: `goto service-${ID}`,
      },
      {
        title: 'a ClusterIP without endpoints is refused',
        spec: {},
        endpoints: [],
        map: 'no-endpoint-services',
        key: '10.96.0.5 . tcp . 80',
        verdict: 'goto reject-chain',
      },
      {
        title: 'a ClusterIP without local endpoints, policy Local, is dropped',
        spec: { internalTrafficPolicy: 'Local' },
        endpoints: ['r1'],
        map: 'no-endpoint-services',
        key: '10.96.0.5 . tcp . 80',
        verdict: 'drop',
      },
      {
        title: 'a NodePort',
        spec: nodePort,
        endpoints: ['r1'],
        map: 'service-nodeports',
        key: 'tcp . 30080',
        verdict: EXTERNAL,
      },
      {
        title: 'a NodePort without endpoints is refused',
        spec: nodePort,
        endpoints: [],
        map: 'no-endpoint-nodeports',
        key: 'tcp . 30080',
        verdict: 'goto reject-chain',
      },
      {
        title: 'a NodePort without local endpoints, policy Local, is dropped',
        spec: { ...nodePort, externalTrafficPolicy: 'Local' },
        endpoints: ['r1'],
        map: 'no-endpoint-nodeports',
        key: 'tcp . 30080',
        verdict: 'drop',
      },
      {
        title: 'a load-balancer address without ipMode',
        spec: { ...balanced, ingress: [{ ip: '10.77.0.240' }] },
        endpoints: ['r1'],
        map: 'service-ips',
        key: vip,
        verdict: EXTERNAL,
      },
      {
        title: 'a load-balancer address with ipMode VIP',
        spec: { ...balanced, ingress: [{ ip: '10.77.0.240', ipMode: 'VIP' }] },
        endpoints: ['r1'],
        map: 'service-ips',
        key: vip,
        verdict: EXTERNAL,
      },
      {
        title: 'not a load-balancer address with ipMode Proxy',
        spec: { ...balanced, ingress: [{ ip: '10.77.0.240', ipMode: 'Proxy' }] },
        endpoints: ['r1'],
        map: 'service-ips',
        key: vip,
        verdict: undefined,
      },
      {
        title: 'not even to refuse it, with ipMode Proxy and no endpoints',
        spec: { ...balanced, ingress: [{ ip: '10.77.0.240', ipMode: 'Proxy' }] },
        endpoints: [],
        map: 'no-endpoint-services',
        key: vip,
        verdict: undefined,
      },
      {
        title: 'a VIP without local endpoints, policy Local, is dropped',
        spec: { ...balanced, externalTrafficPolicy: 'Local', ingress: [{ ip: '10.77.0.240' }] },
        endpoints: ['r1'],
        map: 'no-endpoint-services',
        key: vip,
        verdict: 'drop',
      },
      {
        title: 'an external IP',
        spec: { externalIPs: ['10.77.0.240'] },
        endpoints: ['r1'],
        map: 'service-ips',
        key: vip,
        verdict: EXTERNAL,
      },
      {
        title: 'source ranges on a VIP',
        spec: { ...balanced, loadBalancerSourceRanges: ['10.79.0.0/24'], ingress: [{ ip: '10.77.0.240' }] },
        endpoints: ['r1'],
        map: 'firewall-ips',
        key: vip,
        verdict: `goto firewall-${ID}`,
      },
      {
        title: 'no source ranges with ipMode Proxy',
        spec: {
          ...balanced,
          loadBalancerSourceRanges: ['10.79.0.0/24'],
          ingress: [{ ip: '10.77.0.240', ipMode: 'Proxy' }],
        },
        endpoints: ['r1'],
        map: 'firewall-ips',
        key: vip,
        verdict: undefined,
      },
      {
        title: 'no source ranges when they allow everyone',
        spec: { ...balanced, loadBalancerSourceRanges: ['0.0.0.0/0'], ingress: [{ ip: '10.77.0.240' }] },
        endpoints: ['r1'],
        map: 'firewall-ips',
        key: vip,
        verdict: undefined,
      },
    ] as {
      title: string;
      spec: ServiceOptions;
      endpoints: string[];
      map: keyof Ruleset['maps'];
      key: string;
      verdict?: string;
    }[]) {
      it(title, () => {
        expect(rulesetOf(service(spec), ...endpoints).maps[map].get(key)).to.equal(verdict);
      });
    }

    it('NodePorts on the primary address alone', () => {
      expect([...rulesetOf(service(nodePort), 'r1').sets['nodeport-ips']]).to.deep.equal(['10.77.0.11']);
    });
  });

  describe('what is masqueraded', () => {
    it('all traffic from outside under the policy Cluster', () => {
      const ruleset = rulesetOf(service(nodePort), 'l1', 'r1');
      expect(ruleset.chains.get(`external-${ID}`)).to.deep.equal(['jump mark-for-masquerade', `goto service-${ID}`]);
    });

    it('none of it under Local, but that of the node itself, which is not bound by the policy', () => {
      const ruleset = rulesetOf(service({ ...nodePort, externalTrafficPolicy: 'Local' }), 'l1', 'r1');
      expect(ruleset.chains.get(`external-${ID}`)).to.deep.equal([
        `ip saddr 10.244.0.0/16 goto service-${ID}`,
        'fib saddr type local jump mark-for-masquerade',
        `fib saddr type local goto service-${ID}`,
        `goto local-${ID}`,
      ]);
    });

    it('a pod that reaches itself, and clients of a ClusterIP that are no pods', () => {
      const { chains } = rulesetOf(service(), 'l1');
      expect(chains.get(`endpoint-${ID}__10.244.1.1/8080`)).to.deep.equal([
        'ip saddr 10.244.1.1 jump mark-for-masquerade',
        'meta l4proto tcp dnat to 10.244.1.1:8080',
      ]);
      expect(chains.get(`service-${ID}`)?.[0]).to.equal(
        'ip daddr 10.96.0.5 tcp dport 80 ip saddr != 10.244.0.0/16 jump mark-for-masquerade',
      );
    });
  });

  it('sends a client with affinity to the endpoint it had', () => {
    const affinity = { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } } };
    const ruleset = rulesetOf(service(affinity), 'l1', 'r1');
    const set = `affinity-${ID}__10.244.1.1/8080/60`;
    expect(ruleset.affinitySets.get(set)).to.equal(60);
    expect(ruleset.chains.get(`service-${ID}`)).to.include(`ip saddr @${set} goto endpoint-${ID}__10.244.1.1/8080`);
    expect(ruleset.chains.get(`endpoint-${ID}__10.244.1.1/8080`)).to.include(`update @${set} { ip saddr }`);
  });

  it('lets the node itself reach a VIP whose source ranges contain the node', () => {
    const spec = { ...balanced, ingress: [{ ip: '10.77.0.240' }] };
    const open = rulesetOf(service({ ...spec, loadBalancerSourceRanges: ['10.77.0.0/24'] }), 'r1');
    expect(open.chains.get(`firewall-${ID}`)).to.deep.equal(['ip saddr != { 10.77.0.0/24, 10.77.0.240 } drop']);
    const closed = rulesetOf(service({ ...spec, loadBalancerSourceRanges: ['10.79.0.0/24'] }), 'r1');
    expect(closed.chains.get(`firewall-${ID}`)).to.deep.equal(['ip saddr != { 10.79.0.0/24 } drop']);
  });

  it('ignores headless Services, IPv6 ones and slices of other Services', () => {
    const others = [
      service({ clusterIP: 'None' }),
      service({ clusterIP: 'fd00::5' }),
      service({ type: 'ExternalName' }),
    ];
    expect(servicePorts(others, [slice('l1')], node)).to.deep.equal([]);
    const foreign = slice('l1');
    foreign.metadata!.namespace = 'other';
    expect(servicePorts([service()], [foreign], node)[0]?.clusterEndpoints).to.deep.equal([]);
  });

  it('writes a transaction that replaces its own table and does not depend on the order of its input', () => {
    const second = service({ clusterIP: '10.96.0.6' });
    second.metadata!.name = 'api';
    const text = renderRules([service(nodePort), second], [slice('l1', 'r1')], node);
    expect(text.split('\n').slice(0, 2)).to.deep.equal(['add table ip kube-proxy', 'flush table ip kube-proxy']);
    expect(text, 'strays of connections that it does not know').to.contain('ct state invalid drop');
    expect(text).to.contain('tcp . 30080 : goto external-default/web/tcp/http');
    expect(renderRules([second, service(nodePort)], [slice('r1', 'l1')], node)).to.equal(text);
  });
});
