/** Every way to be cabled to a LAN, one on each node, beside kube-proxy in one of its modes: each node is the owner in turn. */
import type { LabNode, LabOptions, Uplink } from '@fairlead/lab';
import { expect } from 'chai';
import { Cluster } from '../e2e/cluster.js';
import { expectServed } from './traffic.js';

export function describeSurroundings(
  title: string,
  forwarder: 'ipvs' | 'nftables',
  options: LabOptions & { uplinks: readonly Uplink[] },
  /** How many connections kube-proxy of a node has sent on, as its mode counts them. */
  proxied: (node: LabNode) => Promise<number>,
): void {
  describe(title, function () {
    this.timeout(600_000);
    let cluster: Cluster;
    let vip: string;

    before(async () => {
      cluster = await Cluster.start(forwarder, options);
      await cluster.createPool('public', '10.77.0.200-10.77.0.215');
      await cluster.createService('web', 'public');
      vip = await cluster.vipOf('web');
      await cluster.owner();
    });
    after(() => cluster?.stop());

    for (const [index, uplink] of options.uplinks.entries()) {
      it(`serves clients on the LAN and beyond, nodes and Pods, from a node whose uplink is ${a[uplink]}`, async () => {
        const node = cluster.lab.nodes[index]!;
        await cluster.moveTo(node);
        await cluster.served(vip);
        await expectServed(cluster, vip);
        expect(await neighbour(cluster, vip), 'the VIP’s hardware address').to.equal(
          await hardwareAddress(cluster, index),
        );
      });
    }

    it('did so through this kube-proxy on every node', async () => {
      for (const node of cluster.lab.nodes) expect(await proxied(node), node.name).to.be.greaterThan(0);
    });
  });
}

const a: Record<Uplink, string> = { plain: 'a network card', bridge: 'a bridge', bond: 'a bond', vlan: 'a VLAN' };

/** Whose hardware address the client has for an address. */
async function neighbour({ lab }: Cluster, address: string): Promise<string | undefined> {
  const { stdout } = await lab.client.exec(['ip', '-json', 'neighbour', 'show', address]);
  return (JSON.parse(stdout) as { lladdr?: string }[])[0]?.lladdr;
}

async function hardwareAddress({ lab }: Cluster, index: number): Promise<string | undefined> {
  const { lanInterface } = lab.nodes[index]!;
  const { stdout } = await lab.nodes[index]!.exec(['ip', '-json', 'link', 'show', lanInterface]);
  return (JSON.parse(stdout) as { address?: string }[])[0]?.address;
}
