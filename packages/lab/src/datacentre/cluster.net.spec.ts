import { createServer, type Server } from 'node:http';
import { pods, services } from '@fairlead/kube';
import { inNetns } from '@fairlead/raw-socket';
import type { V1Pod, V1Service } from '@kubernetes/client-node';
import { expect } from 'chai';
import { deployEcho, podHost, sendRequests } from '../index.js';
import type { LabHost } from './host.js';
import { Lab } from './lab.js';

const VIP = '10.77.0.240'; // on the LAN, and nobody's
const HEALTH_PORT = 10_256;

describe('the cluster of a lab', function () {
  this.timeout(180_000);
  let lab: Lab;
  let first: string;
  let second: string;

  before(async () => {
    lab = await Lab.start({ nodes: 2, onError: (error) => expect.fail(error.message) });
    [first, second] = (await deployEcho(lab, { name: 'web', perNode: 1 })) as [string, string];
  });
  after(() => lab?.stop());

  /** A Service for the two pods, served by every kube-proxy when this resolves. */
  async function expose(name: string, spec: V1Service['spec'], endpoints = 2): Promise<V1Service> {
    const created = await lab.kube.create<V1Service>(services, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: 'default' },
      spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 8080 }], ...spec },
    });
    await lab.untilProxied({ service: `default/${name}`, endpoints });
    return created;
  }
  const nodePortOf = (service: V1Service) => service.spec!.ports![0]!.nodePort!;
  const ask = (from: LabHost, address: string, port: number, count = 24) =>
    sendRequests(from, { address, port, count, timeoutMs: 30_000 });
  const balance = (name: string, ingress: { ip: string; ipMode?: string }[]) =>
    lab.kube.patch(
      services,
      { namespace: 'default', name },
      { status: { loadBalancer: { ingress } } },
      { type: 'merge', subresource: 'status' },
    );

  it('lets pods reach pods of other nodes by their address, and be seen by their own', async () => {
    const [a, b] = await Promise.all([podHost(lab, first), podHost(lab, second)]);
    const report = await ask(a, b.address, 8080, 3);
    expect(report).to.deep.include({ failures: 0, perPod: { [second]: 3 }, clients: { [a.address]: 3 } });
    expect(await ask(lab.nodes[0]!, b.address, 8080, 3)).to.deep.include({ failures: 0, perNode: { n2: 3 } });
  });

  it('serves a ClusterIP to pods and nodes, from all pods', async () => {
    const service = await expose('cluster-ip', {});
    const pod = await podHost(lab, first);
    for (const from of [pod, lab.nodes[0]!, lab.nodes[1]!]) {
      const report = await ask(from, service.spec!.clusterIP!, 80);
      expect(report.failures).to.equal(0);
      expect(report.perPod).to.have.all.keys(first, second);
    }
  });

  it('serves a NodePort on every node from pods on any node, and masquerades the client', async () => {
    const port = nodePortOf(await expose('node-port', { type: 'NodePort' }));
    for (const node of lab.nodes) {
      const report = await ask(lab.client, node.lanAddress, port);
      expect(report.failures, node.name).to.equal(0);
      expect(report.perPod).to.have.all.keys(first, second);
      // The node's LAN address for pods elsewhere, its pod network's for its own.
      const own = `10.244.${node.name.slice(1)}.1`;
      expect(report.clients).to.have.all.keys(node.lanAddress, own);
    }
  });

  it('serves a NodePort to the node itself, on its primary address alone', async () => {
    const port = nodePortOf(await expose('node-port-own', { type: 'NodePort' }));
    const [node] = lab.nodes;
    expect((await ask(node!, node!.lanAddress, port, 4)).failures).to.equal(0);
    expect((await ask(node!, '127.0.0.1', port, 1)).errors).to.deep.equal({ ECONNREFUSED: 1 });
    expect((await ask(node!, node!.managementAddress, port, 1)).errors).to.deep.equal({ ECONNREFUSED: 1 });
  });

  it('serves clients beyond the router', async () => {
    const port = nodePortOf(await expose('node-port-outside', { type: 'NodePort' }));
    expect((await ask(lab.outside, lab.nodes[1]!.lanAddress, port, 4)).failures).to.equal(0);
  });

  it('lets pods out with their node’s address', async () => {
    let server: Server | undefined;
    try {
      server = inNetns(lab.outside.netns, () =>
        createServer((request, response) => {
          const client = request.socket.remoteAddress?.replace('::ffff:', '');
          response.end(JSON.stringify({ pod: '', node: '', client }));
        }).listen(8000),
      );
      const report = await ask(await podHost(lab, second), '10.79.0.100', 8000, 1);
      expect(report.clients).to.deep.equal({ [lab.nodes[1]!.lanAddress]: 1 });
    } finally {
      server?.close();
    }
  });

  it('refuses at once what has no endpoints', async () => {
    const service = await expose('nothing', { type: 'LoadBalancer', selector: { app: 'nothing' } }, 0);
    await balance('nothing', [{ ip: VIP }]);
    await lab.untilProxied({ service: 'default/nothing', loadBalancerVips: [VIP] });
    const [node] = lab.nodes;
    const refused = { ECONNREFUSED: 1 };
    expect((await ask(lab.client, node!.lanAddress, nodePortOf(service), 1)).errors).to.deep.equal(refused);
    expect((await ask(node!, service.spec!.clusterIP!, 80, 1)).errors).to.deep.equal(refused);
    expect((await ask(node!, VIP, 80, 1)).errors, 'nobody has it, but kube-proxy answers').to.deep.equal(refused);
    await lab.kube.delete(services, { namespace: 'default', name: 'nothing' });
  });

  it('keeps a client with session affinity at one pod, also after the rules were replaced', async () => {
    const port = nodePortOf(await expose('sticky', { type: 'NodePort', sessionAffinity: 'ClientIP' }));
    const before = await ask(lab.client, lab.nodes[0]!.lanAddress, port, 12);
    expect(Object.keys(before.perPod)).to.have.length(1);
    await expose('unrelated', {});
    const after = await ask(lab.client, lab.nodes[0]!.lanAddress, port, 12);
    expect(Object.keys(after.perPod)).to.deep.equal(Object.keys(before.perPod));
  });

  it('spreads pods without a node evenly over the nodes', async () => {
    await deployEcho(lab, { name: 'spread', replicas: 5 });
    const { items } = await lab.kube.list<V1Pod>(pods);
    const counts = lab.nodes.map((node) => items.filter((pod) => pod.spec?.nodeName === node.name).length);
    expect(Math.abs(counts[0]! - counts[1]!)).to.be.at.most(1);
  });

  it('follows pods that come and go', async () => {
    const port = nodePortOf(await expose('following', { type: 'NodePort', selector: { app: 'following' } }, 0));
    const [pod] = await deployEcho(lab, { name: 'following', replicas: 1 });
    await lab.untilProxied({ service: 'default/following', endpoints: 1 });
    expect((await ask(lab.client, lab.nodes[0]!.lanAddress, port, 2)).perPod).to.deep.equal({ [pod!]: 2 });
    expect((await lab.kubectl(['delete', 'pod', pod!])).code).to.equal(0);
    await lab.untilProxied({ service: 'default/following', endpoints: 0 });
    expect((await ask(lab.client, lab.nodes[0]!.lanAddress, port, 1)).errors).to.deep.equal({ ECONNREFUSED: 1 });
  });

  describe('with externalTrafficPolicy: Local', () => {
    it('answers from the node’s own pods and lets them see the client', async () => {
      const port = nodePortOf(await expose('local', { type: 'NodePort', externalTrafficPolicy: 'Local' }));
      const report = await ask(lab.client, lab.nodes[0]!.lanAddress, port, 8);
      expect(report).to.deep.include({ failures: 0, perPod: { [first]: 8 }, clients: { '10.77.0.100': 8 } });
    });

    it('drops on a node without a pod, and says so on the health check node port', async () => {
      const [pod] = await deployEcho(lab, { name: 'single', replicas: 1 });
      const host = await podHost(lab, pod!);
      const spec = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', selector: { app: 'single' } };
      const service = await expose('single', spec, 1);
      const [here, elsewhere] = [host.node, lab.nodes.find((node) => node !== host.node)!];
      expect((await ask(lab.client, here.lanAddress, nodePortOf(service), 2)).failures).to.equal(0);
      const dropped = { address: elsewhere.lanAddress, port: nodePortOf(service), count: 1, timeoutMs: 300 };
      expect((await sendRequests(lab.client, dropped)).errors).to.deep.equal({ timeout: 1 });
      const health = service.spec!.healthCheckNodePort!;
      expect(health, 'healthCheckNodePort').to.be.greaterThan(0);
      expect((await ask(lab.client, here.lanAddress, health, 1)).failures).to.equal(0);
      expect((await ask(lab.client, elsewhere.lanAddress, health, 1)).errors).to.deep.equal({ 503: 1 });
    });
  });

  describe('with a load-balancer address', () => {
    afterEach(async () => {
      await lab.kube.delete(services, { namespace: 'default', name: 'vip' });
      await lab.untilProxied({ service: 'default/vip', absent: true });
    });

    for (const ipMode of ['VIP', undefined]) {
      it(`takes it over on every node when ipMode is ${ipMode}`, async () => {
        await expose('vip', { type: 'LoadBalancer' });
        await balance('vip', [{ ip: VIP, ...(ipMode ? { ipMode } : {}) }]);
        await lab.untilProxied({ service: 'default/vip', loadBalancerVips: [VIP] });
        for (const from of [lab.nodes[0]!, lab.nodes[1]!, await podHost(lab, first)]) {
          expect((await ask(from, VIP, 80, 4)).failures, from.name).to.equal(0);
        }
      });
    }

    it('lets go of it with ipMode Proxy: packets for it leave the node', async () => {
      await expose('vip', { type: 'LoadBalancer' });
      await balance('vip', [{ ip: VIP }]);
      await lab.untilProxied({ service: 'default/vip', loadBalancerVips: [VIP] });
      await balance('vip', [{ ip: VIP, ipMode: 'Proxy' }]);
      await lab.untilProxied({ service: 'default/vip', loadBalancerVips: [] });
      // Nobody answers ARP for it. The kernel asks three times, a second apart.
      expect((await ask(lab.nodes[0]!, VIP, 80, 1)).errors).to.deep.equal({ EHOSTUNREACH: 1 });
    });

    it('lets only the source ranges reach a VIP', async () => {
      await expose('vip', { type: 'LoadBalancer', loadBalancerSourceRanges: ['10.79.0.0/24'] });
      await balance('vip', [{ ip: VIP }]);
      await lab.untilProxied({ service: 'default/vip', loadBalancerVips: [VIP] });
      const via = ['ip', 'route', 'add', VIP, 'via', lab.nodes[0]!.lanAddress];
      for (const host of [lab.client, lab.router]) expect((await host.exec(via)).code).to.equal(0);
      expect((await ask(lab.outside, VIP, 80, 2)).failures).to.equal(0);
      const refused = await sendRequests(lab.client, { address: VIP, port: 80, count: 1, timeoutMs: 300 });
      expect(refused.errors).to.deep.equal({ timeout: 1 });
    });
  });

  it('tells the health of kube-proxy on port 10256 of every node', async () => {
    for (const node of lab.nodes) {
      const url = `http://${node.lanAddress}:${HEALTH_PORT}/healthz`;
      const script = `fetch('${url}').then(async (r) => console.log(r.status, await r.text()))`;
      const { stdout } = await lab.client.exec([process.execPath, '--eval', script]);
      const [, status, body] = /^(\d+) (.*)/.exec(stdout) ?? [];
      expect(status, node.name).to.equal('200');
      expect(JSON.parse(body!)).to.include({ nodeEligible: true });
    }
  });

  it('is a cluster for kubectl', async () => {
    const { code, stdout, stderr } = await lab.kubectl(['get', 'nodes', '-o', 'json']);
    expect(code, stderr).to.equal(0);
    const names = (JSON.parse(stdout) as { items: { metadata: { name: string } }[] }).items.map((n) => n.metadata.name);
    expect(names).to.deep.equal(['n1', 'n2']);
  });
});
