/**
 * How a node is cabled to the LAN. Its address is on `eth0` where it has a plain network card, and otherwise on:
 *
 *   bridge   br0      over eth0, as where virtual machines share the card
 *   bond     bond0    over eth0 and eth1, two cables to the same switch, one of them in reserve (active-backup)
 *   vlan     eth0.77  tagged frames; the switch's port takes the tag off
 *
 * Made with ip(8), which knows the parameters of every kind of link.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { inNetns } from '@fairlead/raw-socket';
import { LabError } from './lab-error.js';

export type Uplink = 'plain' | 'bridge' | 'bond' | 'vlan';

const VLAN_ID = 77;
const interfaces: Record<Uplink, string> = { plain: 'eth0', bridge: 'br0', bond: 'bond0', vlan: `eth0.${VLAN_ID}` };

/** The interface with the node's address. */
export function uplinkInterface(uplink: Uplink): string {
  return interfaces[uplink];
}

/** How many cables it takes. */
export function cablesOf(uplink: Uplink): number {
  return uplink === 'bond' ? 2 : 1;
}

/** Inside the node: from its network cards to the interface that is to have its address; both are up afterwards. */
export function buildUplink(netns: string, uplink: Uplink, hardwareAddress: string): void {
  const name = uplinkInterface(uplink);
  switch (uplink) {
    case 'plain':
      return;
    case 'bridge':
      // With an address of its own it does not change when ports come and go.
      ip(netns, `link add ${name} address ${hardwareAddress} type bridge`);
      ip(netns, `link set eth0 master ${name}`);
      callNoIptables(netns);
      break;
    case 'bond':
      ip(netns, `link add ${name} type bond mode active-backup miimon 100`);
      for (const card of ['eth0', 'eth1']) {
        ip(netns, `link set ${card} down`); // a bond takes no interface that is up
        ip(netns, `link set ${card} master ${name}`);
      }
      break;
    case 'vlan':
      ip(netns, `link add link eth0 name ${name} type vlan id ${VLAN_ID}`);
      break;
  }
  ip(netns, `link set ${name} up`);
}

/** At the switch: what takes the tag off and is a port of its bridge; undefined: the cable's end itself. */
export function untaggedPort(port: string, uplink: Uplink): string | undefined {
  return uplink === 'vlan' ? `${port}.${VLAN_ID}` : undefined;
}

/** Makes it. */
export function buildUntagged(netns: string, port: string, uplink: Uplink): string | undefined {
  const name = untaggedPort(port, uplink);
  if (name === undefined) return undefined;
  ip(netns, `link add link ${port} name ${name} type vlan id ${VLAN_ID}`);
  ip(netns, `link set ${name} up`);
  return name;
}

/**
 * Where br_netfilter is in the kernel, a NodePort that kube-proxy translates to a pod on another node would be bridged
 * instead of routed, back to the port that it came from, which a bridge does not do. And a switch filters nothing: whoever sends a frame through
 * one of the lab's pays for its way.
 */
export function callNoIptables(netns: string): void {
  inNetns(netns, () => {
    for (const name of ['iptables', 'ip6tables']) {
      const path = `/proc/sys/net/bridge/bridge-nf-call-${name}`;
      if (existsSync(path)) writeFileSync(path, '0');
    }
  });
}

function ip(netns: string, command: string): void {
  try {
    execFileSync('ip', ['-n', netns, ...command.split(' ')], { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' });
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.trim().split('\n')[0];
    const [, kind] = / type (\w+)/.exec(command) ?? [];
    const why =
      kind && /not supported|Unknown device type/i.test(said ?? '') ? `this kernel has no links of type ${kind}` : said;
    throw new LabError('FL_LAB_REQUIREMENTS', `ip -n ${netns} ${command}: ${why}`, { cause: error });
  }
}
