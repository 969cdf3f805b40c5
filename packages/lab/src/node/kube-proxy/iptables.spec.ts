import type { V1EndpointSlice, V1Service } from '@kubernetes/client-node';
import { expect } from 'chai';
import { buildTables, renderTables, type Tables } from './iptables.js';
import { IptablesMode } from './iptables-mode.js';
import { renderSets, servedAddresses, virtualServers } from './ipvs-tables.js';
import { type ServicePort, servicePorts } from './service-ports.js';

const node = { name: 'n1', address: '10.77.0.11', clusterCidr: '10.244.0.0/16' };
const VIP = '10.77.0.200';
const LOCAL = '10.244.1.1';
const REMOTE = '10.244.2.1';

/** A Service with a NodePort, and endpoints on these addresses. */
function ports(
  spec: V1Service['spec'],
  endpoints: string[],
  ingress?: { ip: string; ipMode?: string }[],
): ServicePort[] {
  const service: V1Service = {
    metadata: { name: 'web', namespace: 'default' },
    spec: { type: 'LoadBalancer', clusterIP: '10.96.0.5', ports: [{ port: 80, nodePort: 30_080 }], ...spec },
    ...(ingress && { status: { loadBalancer: { ingress } } }),
  };
  const slice: V1EndpointSlice = {
    metadata: { name: 'web-0', namespace: 'default', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    ports: [{ name: '', port: 8080, protocol: 'TCP' }],
    endpoints: endpoints.map((address) => ({ addresses: [address], nodeName: address === LOCAL ? 'n1' : 'n2' })),
  };
  return servicePorts([service], [slice], node);
}

/** Where a packet to that port goes by the rules of a chain, to the end: the DNAT targets. */
function targets(tables: Tables, chain: string): string[] {
  return (tables.nat[chain] ?? []).flatMap((rule) => {
    const [, target = ''] = /-j (\S+)/.exec(rule) ?? [];
    const [, address] = /--to-destination (\S+)/.exec(rule) ?? [];
    return address ? [address] : /^KUBE-(SVC|SVL|SEP|EXT|FW)/.test(target) ? targets(tables, target) : [];
  });
}

describe('kube-proxy’s iptables mode', () => {
  it('sends a NodePort to every endpoint, each with the same chance, and masquerades it', () => {
    const tables = buildTables(ports({}, [LOCAL, REMOTE]), node);
    expect(targets(tables, 'KUBE-NODEPORTS')).to.deep.equal([`${LOCAL}:8080`, `${REMOTE}:8080`]);
    const [cluster = ''] = Object.keys(tables.nat).filter((name) => name.startsWith('KUBE-SVC-'));
    expect(tables.nat[cluster]!.filter((rule) => rule.includes('--probability 0.5'))).to.have.length(1);
    const [external = ''] = Object.keys(tables.nat).filter((name) => name.startsWith('KUBE-EXT-'));
    expect(tables.nat[external]![0]).to.equal('-j KUBE-MARK-MASQ');
  });

  it('keeps NodePorts under the policy Local to this node’s endpoints, and drops where there is none', () => {
    const both = buildTables(ports({ externalTrafficPolicy: 'Local' }, [LOCAL, REMOTE]), node);
    const [local = ''] = Object.keys(both.nat).filter((name) => name.startsWith('KUBE-SVL-'));
    expect(targets(both, local)).to.deep.equal([`${LOCAL}:8080`]);
    expect(both.filter['KUBE-EXTERNAL-SERVICES']).to.deep.equal([]);
    const remote = buildTables(ports({ externalTrafficPolicy: 'Local' }, [REMOTE]), node);
    expect(remote.filter['KUBE-EXTERNAL-SERVICES']!.join()).to.contain('--dport 30080 -j DROP');
  });

  it('refuses what has no endpoints', () => {
    const { filter } = buildTables(ports({}, []), node);
    expect(filter['KUBE-SERVICES']!.join()).to.contain('-d 10.96.0.5/32 -p tcp -m tcp --dport 80 -j REJECT');
    expect(filter['KUBE-EXTERNAL-SERVICES']!.join()).to.contain('--dport 30080 -j REJECT');
  });

  it('takes a load-balancer address over only when its mode is VIP, and then limits it to its source ranges', () => {
    const spec = { loadBalancerSourceRanges: ['192.0.2.0/24'] };
    const proxied = buildTables(ports(spec, [LOCAL], [{ ip: VIP, ipMode: 'Proxy' }]), node);
    expect(JSON.stringify(proxied)).to.not.contain(VIP);
    const taken = buildTables(ports(spec, [LOCAL], [{ ip: VIP }]), node);
    const [firewall = ''] = Object.keys(taken.nat).filter((name) => name.startsWith('KUBE-FW-'));
    expect(taken.nat[firewall]!.join()).to.match(/^-s 192\.0\.2\.0\/24 -j KUBE-EXT-/);
    expect(taken.filter['KUBE-PROXY-FIREWALL']!.join()).to.contain(`-d ${VIP}/32`).and.to.contain('-j DROP');
  });

  it('lets marked and known packets through whatever the policy of FORWARD, and no invalid ones', () => {
    expect(buildTables([], node).filter['KUBE-FORWARD']).to.deep.equal([
      '-m conntrack --ctstate INVALID -j DROP',
      '-m mark --mark 0x4000/0x4000 -j ACCEPT',
      '-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
    ]);
  });

  it('writes nothing when nothing changed, and deletes the chains of what is gone', async () => {
    const written: string[] = [];
    const mode = new IptablesMode(node, async (_, text) => void written.push(text));
    await mode.load(ports({}, [LOCAL]));
    await mode.load(ports({}, [LOCAL]));
    expect(written, 'jumps and rules').to.have.length(2);
    await mode.load([]);
    expect(written[2]).to.match(/^-X KUBE-SEP-/m);
    expect(written[2]).to.not.contain('-A KUBE-SEP-');
    await mode.load([]);
    expect(written).to.have.length(3);
  });

  it('declares every chain before a rule of it', () => {
    const text = renderTables(buildTables(ports({}, [LOCAL]), node), { nat: ['KUBE-OLD'], filter: [] });
    const lines = text.split('\n');
    for (const [at, line] of lines.entries()) {
      const [, chain] = /^-[AX] (\S+)/.exec(line) ?? [];
      if (chain)
        expect(
          lines.slice(0, at).some((earlier) => earlier.startsWith(`:${chain} `)),
          line,
        ).to.equal(true);
    }
  });
});

describe('kube-proxy’s ipvs mode', () => {
  const keys = (list: ServicePort[]) =>
    virtualServers(list, node).map(
      ({ service, destinations }) =>
        `${service.address}:${service.port} → ${destinations.map(({ address, port }) => `${address}:${port}`).join()}`,
    );

  it('has a virtual server for the ClusterIP and for the node’s NodePort', () => {
    expect(keys(ports({}, [LOCAL, REMOTE]))).to.deep.equal([
      `10.96.0.5:80 → ${LOCAL}:8080,${REMOTE}:8080`,
      `10.77.0.11:30080 → ${LOCAL}:8080,${REMOTE}:8080`,
    ]);
  });

  it('keeps NodePorts under the policy Local to this node’s endpoints, without masquerading', () => {
    const list = ports({ externalTrafficPolicy: 'Local', healthCheckNodePort: 31_000 }, [LOCAL, REMOTE]);
    expect(keys(list)[1]).to.equal(`10.77.0.11:30080 → ${LOCAL}:8080`);
    expect(renderSets(list)).to.contain('add KUBE-NODE-PORT-LOCAL-TCP-NEW 30080');
    expect(renderSets(list)).to.contain('add KUBE-HEALTH-CHECK-NODE-PORT-NEW 31000');
  });

  it('serves load-balancer addresses only when their mode is VIP, and never the node’s own on its interface', () => {
    expect(servedAddresses(ports({}, [LOCAL], [{ ip: VIP, ipMode: 'Proxy' }]))).to.deep.equal(['10.96.0.5']);
    expect(servedAddresses(ports({}, [LOCAL], [{ ip: VIP }]))).to.deep.equal(['10.96.0.5', VIP]);
  });

  it('masquerades a pod that reaches itself', () => {
    expect(renderSets(ports({}, [LOCAL, REMOTE]))).to.contain(`add KUBE-LOOP-BACK-NEW ${LOCAL},tcp:8080,${LOCAL}`);
    expect(renderSets(ports({}, [REMOTE]))).to.not.contain('add KUBE-LOOP-BACK-NEW');
  });
});
