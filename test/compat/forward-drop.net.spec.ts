/** A node that forwards only what it knows, as docker leaves it: kube-proxy and the CNI plug-in have rules for their own there. */
import type { LabHost } from '@fairlead/lab';
import { expect } from 'chai';
import { Cluster } from '../e2e/cluster.js';
import { expectServed } from './traffic.js';

describe('beside a FORWARD policy of DROP', function () {
  this.timeout(300_000);
  let cluster: Cluster;
  let vip: string;

  before(async () => {
    cluster = await Cluster.start('nftables', { proxyMode: 'iptables' });
    await cluster.createPool('public', '10.77.0.200-10.77.0.215');
    await cluster.createService('web', 'public');
    vip = await cluster.vipOf('web');
    await cluster.served(vip);
  });
  after(() => cluster?.stop());

  it('does not stand on that node, tells the commands that help, and serves there after them', async () => {
    const owner = await cluster.owner();
    const cni = ['-s', '-d'].map((side) => `iptables -A FORWARD ${side} 10.244.0.0/16 -j ACCEPT`);
    await run(owner, ['iptables -P FORWARD DROP', ...cni]);
    await cluster.stopSpeaker(owner);
    const told = cluster.startSpeaker(owner).waitFor('it told of the firewall', obstacle, 60_000);
    const commands = (await told).split(': ').at(-1)!.split('; ');
    expect(commands.join()).to.contain('iptables -I FORWARD').and.to.contain('fairlead0');
    expect((await cluster.owner(owner)).name).to.not.equal(owner.name);
    await expectServed(cluster, vip);

    await run(owner, commands);
    await cluster.stopSpeaker(owner);
    cluster.startSpeaker(owner);
    await cluster.moveTo(owner);
    await expectServed(cluster, vip);
  });
});

/** What a speaker's log says about a firewall. */
function obstacle(line: string): string | undefined {
  return line.includes('FL_HOST_FIREWALL') ? (JSON.parse(line) as { msg: string }).msg : undefined;
}

async function run(host: LabHost, commands: readonly string[]): Promise<void> {
  for (const command of commands) {
    const { code, stderr } = await host.exec(['sh', '-c', command]);
    expect(code, `${command}: ${stderr}`).to.equal(0);
  }
}
