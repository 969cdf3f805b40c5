/**
 * A small data centre in network namespaces: a client and three nodes on one LAN, a pod on each node, and on each node
 * what kube-proxy would have there (a NodePort translated in PREROUTING and OUTPUT, masqueraded, invalid packets dropped),
 * under strict reverse-path filtering. What would not work behind a real kube-proxy does not work here.
 *
 *   client 10.77.0.100 ─┐                        pods 10.244.N.2: TCP and UDP on 8080
 *                      lan (bridge)              NodePort 30080 of a node: its kube-proxy's pod, by default its own
 *   n1..n3 10.77.0.1N ──┘                        NodePort 30081 of a node: a server on the node itself
 *
 * and, where asked for, a client that is three links away:
 *
 *   lan ── router 10.77.0.1 ══ 10.79.1.0/24, narrower ══ far ── 10.79.0.0/24 ── outside 10.79.0.100
 */
import { writeFileSync } from 'node:fs';
import { NftCommand } from '@fairlead/ipvs';
import { Rtnetlink } from '@fairlead/netlink';
import { createNetns, deleteNetns, inNetns, listNetns } from '@fairlead/raw-socket';
import { Host } from './host.js';

export const POD_PORT = 8080;
/** Goes through kube-proxy to a pod. */
export const NODE_PORT = 30_080;
/** Ends at the node, which therefore sees what address the director gave the packet. */
export const PLAIN_NODE_PORT = 30_081;

export class Node extends Host {
  readonly number: number;
  readonly addresses: string[];
  readonly director: string;
  readonly pod: Host;
  #servesFrom: number | undefined;

  constructor(prefix: string, number: number) {
    super(`n${number}`, `${prefix}-n${number}`);
    this.number = number;
    this.addresses = [`10.77.0.${10 + number}`, `fd00:77::${10 + number}`];
    this.director = `${prefix}-d${number}`;
    this.pod = new Host(`pod${number}`, `${prefix}-p${number}`);
  }

  /** Makes kube-proxy here send connections to the pod of that node. */
  serveFrom(pod: number): void {
    if (this.#servesFrom === pod) return;
    this.#servesFrom = pod;
    new NftCommand(this.netns).run(kubeProxyScript(pod));
  }

  override async close(): Promise<void> {
    await this.pod.close();
    await super.close();
  }
}

export class Topology {
  client!: Host;
  readonly nodes: Node[] = [];
  readonly #prefix: string;
  readonly #hosts: Host[] = [];
  readonly #macs = new Map<string, string>();
  readonly #lanMtu: number;
  #hasRouter = false;

  /** Namespaces are named `<prefix>-...`. `lanMtu`: of the LAN and everything on it, 1500 by default. */
  constructor(prefix: string, { lanMtu = 1500 }: { lanMtu?: number } = {}) {
    this.#prefix = prefix;
    this.#lanMtu = lanMtu;
  }

  async start(): Promise<void> {
    const count = 3;
    this.#namespace('lan');
    const lan = this.#rtnetlink('lan');
    lan.setLink(lan.addBridge('br0').index, { up: true });
    this.#attach(lan, 'client', ['10.77.0.100', 'fd00:77::100']);
    for (let number = 1; number <= count; number++) this.#makeNode(lan, number, count);
    lan.close();
    this.client = new Host('client', this.#name('client'));
    this.#hosts.push(this.client);
    for (let number = 1; number <= count; number++) await this.#startNode(number);
  }

  /**
   * A client beyond a router, on the way to whom no packet may be longer than `narrowMtu`, which neither end of a
   * connection can see: it has to be found out from what routers say.
   */
  async addOutside(narrowMtu: number): Promise<Host> {
    const lan = this.#rtnetlink('lan');
    this.#attach(lan, 'router', routerAddresses);
    lan.close();
    this.#namespace('far');
    this.#namespace('outside');
    for (const name of ['router', 'far']) {
      this.#sysctl(name, 'ipv4/ip_forward', '1');
      this.#sysctl(name, 'ipv6/conf/all/forwarding', '1');
    }
    this.#cable(
      ['router', 'far0', ['10.79.1.1', 'fd00:79:1::1']],
      ['far', 'lan0', ['10.79.1.2', 'fd00:79:1::2']],
      narrowMtu,
    );
    this.#cable(
      ['far', 'out0', ['10.79.0.1', 'fd00:79::1']],
      ['outside', 'eth0', ['10.79.0.100', 'fd00:79::100']],
      1500,
    );
    this.#defaultRoutes('outside', ['10.79.0.1', 'fd00:79::1']);
    this.#defaultRoutes('far', ['10.79.1.1', 'fd00:79:1::1']);
    this.#route('router', '10.79.0.0', 24, '10.79.1.2');
    this.#route('router', 'fd00:79::', 64, 'fd00:79:1::2');
    for (const name of ['client', ...this.nodes.map((node) => node.name)]) this.#defaultRoutes(name, routerAddresses);
    this.#hasRouter = true;
    const outside = new Host('outside', this.#name('outside'));
    this.#hosts.push(outside);
    return outside;
  }

  get routerNetns(): string {
    return this.#name('router');
  }

  /** Also after a start that failed. */
  async stop(): Promise<void> {
    for (const host of this.#hosts.splice(0)) await host.close();
    for (const netns of listNetns()) if (netns.startsWith(`${this.#prefix}-`)) deleteNetns(netns);
  }

  /** What a speaker's ARP and gratuitous ARP do: everyone else on the LAN (or `only` these) finds the VIP at this node. */
  announce(vip: string, owner: Node, only: { netns: string }[] = this.#stations()): void {
    for (const host of only) {
      if (host.netns === owner.netns) continue;
      const rtnetlink = new Rtnetlink({ netns: host.netns });
      const { index } = rtnetlink.link('eth0')!;
      rtnetlink.replaceNeighbour({
        index,
        address: vip,
        hardwareAddress: this.#macs.get(owner.name)!,
        state: 'permanent',
      });
      rtnetlink.close();
    }
  }

  #stations(): { netns: string }[] {
    return [this.client, ...this.nodes, ...(this.#hasRouter ? [{ netns: this.routerNetns }] : [])];
  }

  async #startNode(number: number): Promise<void> {
    const node = new Node(this.#prefix, number);
    this.nodes.push(node);
    this.#hosts.push(node);
    node.serveFrom(number);
    for (const protocol of ['tcp', 'udp'] as const) {
      await node.listen(PLAIN_NODE_PORT, protocol);
      await node.pod.listen(POD_PORT, protocol);
    }
  }

  #makeNode(lan: Rtnetlink, number: number, nodes: number): void {
    const name = `n${number}`;
    this.#attach(lan, name, [`10.77.0.${10 + number}`, `fd00:77::${10 + number}`]);
    // As on a Kubernetes node; `all` for IPv6 reaches every interface, present and future.
    this.#sysctl(name, 'ipv4/ip_forward', '1');
    this.#sysctl(name, 'ipv6/conf/all/forwarding', '1');
    for (const which of ['all', 'default', 'eth0']) this.#sysctl(name, `ipv4/conf/${which}/rp_filter`, '1');

    this.#namespace(`p${number}`);
    const node = this.#rtnetlink(name);
    const pod = this.#rtnetlink(`p${number}`);
    const bridge = node.addVeth({ name: 'pods', peer: { name: 'eth0', netns: this.#name(`p${number}`) } });
    const eth0 = pod.link('eth0')!;
    const lanIndex = node.link('eth0')!.index;
    node.setLink(bridge.index, { up: true });
    pod.setLink(eth0.index, { up: true });
    for (const { family, pods, prefixLength, node: nodeAddress } of families) {
      node.addAddress({ index: bridge.index, address: `${pods(number)}1`, prefixLength, noDad: true });
      pod.addAddress({ index: eth0.index, address: `${pods(number)}2`, prefixLength, noDad: true });
      const any = family === 'ipv4' ? '0.0.0.0' : '::';
      pod.addRoute({ family, destination: any, prefixLength: 0, gateway: `${pods(number)}1`, index: eth0.index });
      for (let other = 1; other <= nodes; other++) {
        if (other === number) continue;
        const destination = `${pods(other)}${family === 'ipv4' ? '0' : ''}`;
        node.addRoute({ family, destination, prefixLength, gateway: nodeAddress(other), index: lanIndex });
      }
    }
    node.close();
    pod.close();
  }

  #attach(lan: Rtnetlink, name: string, addresses: string[]): void {
    this.#namespace(name);
    const port = lan.addVeth({ name, mtu: this.#lanMtu, peer: { name: 'eth0', netns: this.#name(name) } });
    lan.setLink(port.index, { up: true, master: lan.link('br0')!.index });
    const host = this.#rtnetlink(name);
    const eth0 = host.link('eth0')!;
    host.setLink(eth0.index, { up: true });
    for (const address of addresses) {
      host.addAddress({ index: eth0.index, address, prefixLength: address.includes(':') ? 64 : 24, noDad: true });
    }
    this.#macs.set(name, eth0.address);
    host.close();
  }

  /** Each end: the namespace, the name of the interface there, and its addresses. */
  #cable(near: CableEnd, far: CableEnd, mtu: number): void {
    const [nearNetns, nearName] = near;
    const [farNetns, farName] = far;
    const rtnetlink = this.#rtnetlink(nearNetns);
    rtnetlink.addVeth({ name: nearName, mtu, peer: { name: farName, netns: this.#name(farNetns) } });
    rtnetlink.close();
    for (const [netns, name, addresses] of [near, far]) {
      const end = this.#rtnetlink(netns);
      const { index } = end.link(name)!;
      end.setLink(index, { up: true });
      for (const address of addresses) {
        end.addAddress({ index, address, prefixLength: address.includes(':') ? 64 : 24, noDad: true });
      }
      end.close();
    }
  }

  #defaultRoutes(name: string, gateways: readonly string[]): void {
    for (const gateway of gateways) this.#route(name, gateway.includes(':') ? '::' : '0.0.0.0', 0, gateway);
  }

  #route(name: string, destination: string, prefixLength: number, gateway: string): void {
    const rtnetlink = this.#rtnetlink(name);
    rtnetlink.addRoute({ family: gateway.includes(':') ? 'ipv6' : 'ipv4', destination, prefixLength, gateway });
    rtnetlink.close();
  }

  #namespace(name: string): void {
    createNetns(this.#name(name));
    const rtnetlink = this.#rtnetlink(name);
    rtnetlink.setLink(1, { up: true });
    rtnetlink.close();
  }

  #sysctl(name: string, path: string, value: string): void {
    inNetns(this.#name(name), () => writeFileSync(`/proc/sys/net/${path}`, value));
  }

  #rtnetlink(name: string): Rtnetlink {
    return new Rtnetlink({ netns: this.#name(name) });
  }

  #name(name: string): string {
    return `${this.#prefix}-${name}`;
  }
}

type CableEnd = [netns: string, interfaceName: string, addresses: readonly string[]];

const routerAddresses = ['10.77.0.1', 'fd00:77::1'];

const families = [
  { family: 'ipv4', pods: (n: number) => `10.244.${n}.`, prefixLength: 24, node: (n: number) => `10.77.0.${10 + n}` },
  {
    family: 'ipv6',
    pods: (n: number) => `fd00:244:${n}::`,
    prefixLength: 64,
    node: (n: number) => `fd00:77::${10 + n}`,
  },
] as const;

/** kube-proxy's marks: everything that comes to a NodePort from outside is masqueraded on its way to the pod. */
function kubeProxyScript(pod: number): string {
  const nodePorts = ['tcp', 'udp', 'sctp'].flatMap((protocol) => [
    `meta nfproto ipv4 fib daddr type local ${protocol} dport ${NODE_PORT} meta mark set 0x4000 dnat ip to 10.244.${pod}.2:${POD_PORT}`,
    `meta nfproto ipv6 fib daddr type local ${protocol} dport ${NODE_PORT} meta mark set 0x4000 dnat ip6 to [fd00:244:${pod}::2]:${POD_PORT}`,
  ]);
  return `
    add table inet kube-proxy
    delete table inet kube-proxy
    table inet kube-proxy {
      chain prerouting { type nat hook prerouting priority -100; policy accept
        ${nodePorts.join('\n')}
      }
      chain output { type nat hook output priority -100; policy accept
        ${nodePorts.join('\n')}
      }
      chain postrouting { type nat hook postrouting priority 100; policy accept
        meta mark 0x4000 masquerade
        # the CNI plug-in's: pods leave for anywhere but other pods under the node's address
        ip saddr 10.244.0.0/16 ip daddr != 10.244.0.0/16 masquerade
        ip6 saddr fd00:244::/32 ip6 daddr != fd00:244::/32 masquerade
      }
      chain forward { type filter hook forward priority 0; policy accept
        ct state invalid drop
      }
    }
`;
}
