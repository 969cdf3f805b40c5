/**
 * The wiring of a lab: namespaces, bridges and the cables between them. Everything here is one netlink request or one
 * write to /proc/sys, and synchronous.
 *
 *   lan  (br0 10.77.0.0/24) ── n1… (eth0, or see uplink.ts), client (eth0), router (lan0)
 *   mgmt (br0 10.78.0.1/24) ── n1… (mgmt0); the API server runs here
 *   router (wan0 10.79.0.1) ── outside (eth0)
 */
import { writeFileSync } from 'node:fs';
import { Rtnetlink } from '@fairlead/netlink';
import { createNetns, inNetns } from '@fairlead/raw-socket';
import { type FrameLoss, loadFrameLoss } from './frame-loss.js';
import {
  CLIENT_ADDRESS,
  hardwareAddress,
  LAN_PREFIX_LENGTH,
  MANAGEMENT_ADDRESS,
  type NodeNames,
  netnsOf,
  OUTSIDE_ADDRESS,
  ROUTER_LAN_ADDRESS,
  ROUTER_OUTSIDE_ADDRESS,
} from './names.js';
import { explainLinkError } from './requirements.js';
import {
  buildUntagged,
  buildUplink,
  cablesOf,
  callNoIptables,
  type Uplink,
  untaggedPort,
  uplinkInterface,
} from './uplink.js';

/** One end of a cable, inside a namespace. */
export interface Plug {
  netns: string;
  interface: string;
  /** None: it is for something else to be built upon. */
  address?: string;
  hardwareAddress: string;
}

/**
 * What matters for forwarding and ARP, written out because a new namespace inherits the machine's IPv4 settings:
 * a lab behaves the same everywhere. The values are the kernel's defaults, but for the two that distributions and
 * kubelets set on nodes: strict `rp_filter`, and `ip_forward` (first, since writing it resets others).
 */
function ipv4Settings(forward: boolean): [string, string][] {
  const settings: [string, string][] = [['ip_forward', forward ? '1' : '0']];
  for (const scope of ['all', 'default']) {
    for (const [name, value] of [
      ['rp_filter', '1'],
      ['arp_ignore', '0'],
      ['arp_announce', '0'],
      ['arp_filter', '0'],
      ['arp_accept', '0'],
      ['proxy_arp', '0'],
      ['accept_local', '0'],
      ['route_localnet', '0'],
      ['src_valid_mark', '0'],
      ['send_redirects', '1'],
      ['accept_redirects', forward ? '0' : '1'],
    ] as const) {
      settings.push([`conf/${scope}/${name}`, value]);
    }
  }
  return settings;
}

/** A new namespace with its loopback interface up. */
export function makeNamespace(netns: string, { forward }: { forward: boolean }): void {
  createNetns(netns);
  inNetns(netns, () => {
    for (const [name, value] of ipv4Settings(forward)) writeFileSync(`/proc/sys/net/ipv4/${name}`, value);
  });
  withLinks(netns, (links) => links.setLink(links.link('lo')!.index, { up: true }));
}

function withLinks<T>(netns: string, use: (links: Rtnetlink) => T): T {
  const links = new Rtnetlink({ netns });
  try {
    return use(links);
  } catch (error) {
    throw explainLinkError(error);
  } finally {
    links.close();
  }
}

/** A bridge in a namespace of its own, and the cables that end in it. */
export class Bridge {
  readonly netns: string;
  readonly #links: Rtnetlink;
  readonly #index: number;
  readonly #losses = new Map<string, FrameLoss>();

  constructor(netns: string, own: { hardwareAddress: string; address?: string }) {
    this.netns = netns;
    makeNamespace(netns, { forward: false });
    this.#links = new Rtnetlink({ netns });
    try {
      this.#links.addBridge('br0');
      callNoIptables(netns);
    } catch (error) {
      this.#links.close();
      throw explainLinkError(error);
    }
    this.#index = this.#links.link('br0')!.index;
    // Set, because a bridge would otherwise take its lowest port's address, and change it as ports come and go.
    this.#links.setLink(this.#index, { address: own.hardwareAddress, up: true });
    if (own.address) {
      this.#links.addAddress({ index: this.#index, address: own.address, prefixLength: LAN_PREFIX_LENGTH });
    }
  }

  /** Puts a cable between a new port and a host's new interface, which is up and has its address afterwards. */
  connect(port: string, plug: Plug): void {
    cable(this.#links, { name: port, master: this.#index }, plug);
  }

  /** Makes something built upon a port a port in its stead. */
  replacePort(port: string, by: string): void {
    this.#links.setLink(this.#links.link(port)!.index, { master: null });
    this.#links.setLink(this.#links.link(by)!.index, { master: this.#index });
  }

  /** Takes a port (the host at its other end sees no carrier) down or up. */
  setPort(port: string, up: boolean): void {
    const link = this.#links.link(port);
    if (link !== undefined) this.#links.setLink(link.index, { up });
  }

  /** Loses frames of these ports from now on; `{}`: none. */
  lose(ports: readonly string[], loss: FrameLoss): void {
    for (const port of ports) {
      if (loss.sent || loss.received) this.#losses.set(port, loss);
      else this.#losses.delete(port);
    }
    loadFrameLoss(this.netns, this.#losses);
  }

  /** Removes the cable with both its ends. */
  disconnect(port: string): void {
    const link = this.#links.link(port);
    if (link !== undefined) this.#links.deleteLink(link.index);
  }

  /** Lets go of the namespace, which would live as long as this socket into it. */
  close(): void {
    this.#links.close();
  }
}

function cable(near: Rtnetlink, end: { name: string; master?: number }, plug: Plug): void {
  try {
    near.addVeth({ name: end.name, peer: { name: plug.interface, netns: plug.netns, address: plug.hardwareAddress } });
    const index = near.link(end.name)!.index;
    near.setLink(index, end.master === undefined ? { up: true } : { master: end.master, up: true });
  } catch (error) {
    throw explainLinkError(error);
  }
  withLinks(plug.netns, (links) => {
    const index = links.link(plug.interface)!.index;
    if (plug.address) links.addAddress({ index, address: plug.address, prefixLength: LAN_PREFIX_LENGTH });
    links.setLink(index, { up: true });
  });
}

function defaultRoute(netns: string, gateway: string): void {
  withLinks(netns, (links) => links.replaceRoute({ family: 'ipv4', destination: '0.0.0.0', prefixLength: 0, gateway }));
}

/** Both networks, and everything on them but the nodes. */
export interface Networks {
  lan: Bridge;
  management: Bridge;
}

export function makeNetworks(id: string): Networks {
  const management = new Bridge(netnsOf(id, 'mgmt'), {
    hardwareAddress: hardwareAddress(2, 0),
    address: MANAGEMENT_ADDRESS,
  });
  let lan: Bridge | undefined;
  try {
    lan = new Bridge(netnsOf(id, 'lan'), { hardwareAddress: hardwareAddress(1, 0) });
    addClients(id, lan);
    return { lan, management };
  } catch (error) {
    management.close();
    lan?.close();
    throw error;
  }
}

function addClients(id: string, lan: Bridge): void {
  const [client, router, outside] = [netnsOf(id, 'client'), netnsOf(id, 'router'), netnsOf(id, 'outside')];
  makeNamespace(client, { forward: false });
  makeNamespace(router, { forward: true });
  makeNamespace(outside, { forward: false });
  lan.connect('client', {
    netns: client,
    interface: 'eth0',
    address: CLIENT_ADDRESS,
    hardwareAddress: hardwareAddress(1, 0xc1),
  });
  lan.connect('router', {
    netns: router,
    interface: 'lan0',
    address: ROUTER_LAN_ADDRESS,
    hardwareAddress: hardwareAddress(1, 0xf1),
  });
  withLinks(router, (links) => {
    cable(
      links,
      { name: 'wan0' },
      {
        netns: outside,
        interface: 'eth0',
        address: OUTSIDE_ADDRESS,
        hardwareAddress: hardwareAddress(3, 0xc1),
      },
    );
    const wan = links.link('wan0')!.index;
    links.addAddress({ index: wan, address: ROUTER_OUTSIDE_ADDRESS, prefixLength: LAN_PREFIX_LENGTH });
  });
  defaultRoute(client, ROUTER_LAN_ADDRESS);
  defaultRoute(outside, ROUTER_OUTSIDE_ADDRESS);
}

/** A node's namespace with its two cables: a machine that has just booted. */
export function makeNode({ lan, management }: Networks, node: NodeNames, uplink: Uplink): void {
  makeNamespace(node.netns, { forward: true });
  for (const [card, port] of lanPorts(node, uplink).entries()) {
    lan.connect(port, {
      netns: node.netns,
      interface: `eth${card}`,
      ...(uplink === 'plain' && { address: node.lanAddress }),
      hardwareAddress: card === 0 ? node.lanHardwareAddress : node.spareHardwareAddress,
    });
    const untagged = buildUntagged(lan.netns, port, uplink);
    if (untagged) lan.replacePort(port, untagged);
  }
  if (uplink !== 'plain') {
    buildUplink(node.netns, uplink, node.lanHardwareAddress);
    withLinks(node.netns, (links) => {
      const { index } = links.link(uplinkInterface(uplink))!;
      links.addAddress({ index, address: node.lanAddress, prefixLength: LAN_PREFIX_LENGTH });
    });
  }
  management.connect(node.name, {
    netns: node.netns,
    interface: 'mgmt0',
    address: node.managementAddress,
    hardwareAddress: node.managementHardwareAddress,
  });
  defaultRoute(node.netns, ROUTER_LAN_ADDRESS);
}

/** The switch's ports that a node is cabled to. */
export function lanPorts(node: NodeNames, uplink: Uplink): string[] {
  return Array.from({ length: cablesOf(uplink) }, (_, card) => (card === 0 ? node.name : `${node.name}-${card}`));
}

/** What the switch's bridge has of a node: its cables, or what takes the tag off. */
export function bridgePorts(node: NodeNames, uplink: Uplink): string[] {
  return lanPorts(node, uplink).map((port) => untaggedPort(port, uplink) ?? port);
}

/** Unplugs a node for good: its cables are gone when this returns, whatever still holds its namespace. */
export function unplugNode({ lan, management }: Networks, node: NodeNames, uplink: Uplink): void {
  for (const port of lanPorts(node, uplink)) lan.disconnect(port);
  management.disconnect(node.name);
}
