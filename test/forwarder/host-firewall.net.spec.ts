/** A firewall of the host that drops what it forwards: found, named, and opened by exactly what the finding says. */
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import {
  createForwarder,
  Director,
  type Forwarder,
  HostObstacles,
  HostRoutes,
  NftCommand,
  OwnerRules,
} from '@fairlead/ipvs';
import { Rtnetlink } from '@fairlead/netlink';
import { inNetns, netnsPath } from '@fairlead/raw-socket';
import { expect } from 'chai';
import { type Node, PLAIN_NODE_PORT, Topology } from './topology.js';

const VIP = '10.77.0.200';
const VIP6 = 'fd00:77::200';

/** Rulesets as they are found on hosts. */
const firewalls: Record<string, string> = {
  'an nftables ruleset with a policy of drop': `
    table inet filter {
      chain input { type filter hook input priority 0; policy accept; }
      chain forward { type filter hook forward priority 0; policy drop; ct state established,related accept; }
    }`,
  'one that rejects what it does not know': `
    table inet guard {
      chain zones { iifname "wlan0" accept; }
      chain transit { type filter hook forward priority 10; policy accept;
        ct state { established, related } accept
        iifname "lo" accept
        jump zones
        reject with icmpx admin-prohibited
      }
    }`,
  'one for each family': `
    add table ip guard
    add table ip6 guard
    add chain ip guard transit { type filter hook forward priority 0; policy drop; }
    add chain ip6 guard transit { type filter hook forward priority 0; policy drop; }`,
};

describe('obstacles of a host', function () {
  this.timeout(60_000);
  const topology = new Topology(`fl-obst-${process.pid}`);
  let owner: Node;
  let director: Director;
  let forwarder: Forwarder;
  const closing: { close(): void }[] = [];
  let hostObstacles: HostObstacles;
  const obstacles = () => hostObstacles.find({ uplinks: ['eth0'], families: ['ipv4', 'ipv6'], virtualRouters: [0, 3] });
  const run = (command: string) =>
    execFileSync('nsenter', [`--net=${netnsPath(owner.netns)}`, '--', 'sh', '-c', command]);
  const sysctl = (path: string, value: string) =>
    inNetns(owner.netns, () => writeFileSync(`/proc/sys/net/${path}`, value));

  before(async function () {
    this.timeout(300_000);
    await topology.start();
    [owner] = topology.nodes as [Node];
    const hostNetns = owner.netns;
    director = Director.ensure({ name: owner.director, hostNetns });
    forwarder = createForwarder({ kind: 'nftables', director: owner.director });
    const routes = new HostRoutes({ hostNetns });
    const rules = new OwnerRules({ hostNetns });
    hostObstacles = new HostObstacles(hostNetns);
    closing.push(director, forwarder, routes, rules, hostObstacles);
    const desired = {
      vips: [VIP, VIP6],
      virtualServers: [VIP, VIP6].map((address) => ({
        address,
        port: 81,
        protocol: 'tcp' as const,
        scheduler: 'rr',
        // On another node: what the director sends there is forwarded, too.
        realServers: [
          { address: topology.nodes[1]!.addresses[address === VIP ? 0 : 1]!, port: PLAIN_NODE_PORT, weight: 1 },
        ],
      })),
    };
    director.sync(desired);
    forwarder.sync(desired);
    routes.sync([{ index: 0, vips: desired.vips }]);
    rules.claim(0);
    for (const vip of desired.vips) topology.announce(vip, owner);
  });
  after(async () => {
    for (const part of closing) part.close();
    await topology.stop();
  });

  it('are none on a node of the topology, which has kube-proxy and strict reverse-path filtering', async () => {
    expect(obstacles()).to.deep.equal([]);
    await topology.client.ask(VIP, 81);
  });

  for (const [what, ruleset] of Object.entries(firewalls)) {
    it(`are found in ${what}, and gone after what they say is done`, async () => {
      const nft = new NftCommand(owner.netns);
      nft.run(ruleset);
      try {
        for (const vip of [VIP, VIP6]) expect(await topology.client.failure(vip, 81)).to.not.equal('answered');
        const found = obstacles();
        expect(found.map(({ code }) => code)).to.include('FL_HOST_FIREWALL');
        for (const { message } of found) {
          expect(message).to.contain('drops what is forwarded to fairlead0 and from fairlead0');
          for (const command of message.slice(message.indexOf(': ') + 2).split('; ')) run(command);
        }
        expect(obstacles()).to.deep.equal([]);
        for (const vip of [VIP, VIP6]) expect((await topology.client.ask(vip, 81)).server).to.equal('n2');
      } finally {
        for (const table of ['inet filter', 'inet guard', 'ip guard', 'ip6 guard']) {
          nft.run(`add table ${table}; delete table ${table}`);
        }
      }
    });
  }

  it('name iptables where its chain it is', () => {
    const nft = new NftCommand(owner.netns);
    nft.run('add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }');
    const [found, ...more] = obstacles();
    nft.run('delete table ip filter');
    expect(more).to.deep.equal([]);
    expect(found!.message).to.contain(
      'iptables -I FORWARD -i fairlead0 -j ACCEPT; iptables -I FORWARD -o fairlead0 -j ACCEPT',
    );
  });

  it('are others’ routes in a table of ours, and others’ rules at a priority of ours', () => {
    const host = new Rtnetlink({ netns: owner.netns });
    try {
      const { index } = host.link('eth0')!;
      const route = { family: 'ipv4', destination: '0.0.0.0', prefixLength: 0, index, table: 7703 } as const;
      host.addRoute(route);
      const rule = { family: 'ipv4', priority: 7700, table: 254 } as const;
      host.addRule(rule);
      const found = obstacles();
      host.deleteRoute(route);
      host.deleteRule(rule);
      expect(found.map(({ code }) => code)).to.deep.equal(['FL_FOREIGN_ROUTES', 'FL_FOREIGN_RULES']);
      expect(found[0]!.message).to.contain('routing table 7703').and.contain('0.0.0.0/0');
      expect(found[1]!.message).to.contain('routing rule 7700');
      expect(obstacles()).to.deep.equal([]);
    } finally {
      host.close();
    }
  });

  it('are a bridge for an uplink whose packets pass iptables, where br_netfilter is in the kernel', function () {
    const setting = 'bridge/bridge-nf-call-iptables';
    if (!existsSync(`/proc/sys/net/${setting}`)) this.skip();
    const found = () => hostObstacles.find({ uplinks: ['br9'], families: ['ipv4'], virtualRouters: [] });
    run('ip link add br9 type bridge');
    try {
      sysctl(setting, '1');
      expect(found().map(({ code, harmless }) => [code, harmless])).to.deep.equal([['FL_BRIDGE_NETFILTER', true]]);
      sysctl(setting, '0');
      expect(found()).to.deep.equal([]);
    } finally {
      run('ip link delete br9');
    }
  });

  it('are an uplink that does not forward', () => {
    sysctl('ipv4/conf/eth0/forwarding', '0');
    const found = obstacles();
    sysctl('ipv4/conf/eth0/forwarding', '1');
    expect(found.map(({ code }) => code)).to.deep.equal(['FL_UPLINK_SYSCTL']);
    expect(found[0]!.message).to.contain('net.ipv4.conf.eth0.forwarding is 0');
  });
});
