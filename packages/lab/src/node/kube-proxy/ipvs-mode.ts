/** kube-proxy's ipvs mode: IPVS in the node's own namespace, beside what is in anybody's director. */
import { writeFileSync } from 'node:fs';
import { Ipvs, type IpvsServiceKey, Rtnetlink } from '@fairlead/netlink';
import { IPTABLES_RESTORE } from './iptables-mode.js';
import { DUMMY_INTERFACE, ipvsRules, renderSets, servedAddresses, virtualServers } from './ipvs-tables.js';
import type { ProxyMode } from './mode.js';
import type { ProxyNode, ServicePort } from './service-ports.js';

/** As kube-proxy sets them. */
const SETTINGS = { conntrack: '1', conn_reuse_mode: '0', expire_nodest_conn: '1', expire_quiescent_template: '1' };

type Feed = (argv: readonly string[], text?: string) => Promise<void>;

interface Target {
  address: string;
  port: number;
}

export class IpvsMode implements ProxyMode {
  readonly #node: ProxyNode;
  readonly #feed: Feed;
  #kernel: { ipvs: Ipvs; links: Rtnetlink; dummy: number } | undefined;

  constructor(node: ProxyNode, feed: Feed) {
    this.#node = node;
    this.#feed = feed;
  }

  async load(ports: readonly ServicePort[]): Promise<void> {
    await this.#feed(['ipset', 'restore'], renderSets(ports));
    this.#kernel ??= await this.#begin();
    const { ipvs, links, dummy } = this.#kernel;
    const has = links.addresses({ index: dummy, family: 'ipv4' }).map(({ address }) => address);
    const wanted = servedAddresses(ports);
    const host = (address: string) => ({ index: dummy, address, prefixLength: 32 });
    for (const address of wanted) if (!has.includes(address)) links.addAddress(host(address));
    this.#program(ipvs, ports);
    for (const address of has) if (!wanted.includes(address)) links.deleteAddress(host(address));
  }

  #program(ipvs: Ipvs, ports: readonly ServicePort[]): void {
    const wanted = new Map(virtualServers(ports, this.#node).map((server) => [serviceName(server.service), server]));
    const there = new Map(ipvs.services().map((service) => [serviceName(service), service]));
    for (const [name, service] of there) if (!wanted.has(name)) ipvs.deleteService(service);
    for (const [name, { service, destinations }] of wanted) {
      if (there.has(name)) ipvs.setService(service);
      else ipvs.addService(service);
      const has = there.has(name) ? ipvs.destinations(service) : [];
      const missing = <T extends Target>(from: T[], other: readonly Target[]) =>
        from.filter((one) => !other.some(({ address, port }) => address === one.address && port === one.port));
      for (const destination of missing(destinations, has)) ipvs.addDestination(service, destination);
      for (const destination of missing(has, destinations)) ipvs.deleteDestination(service, destination);
    }
  }

  /** What stays: the interface, the settings and the rules. */
  async #begin() {
    const ipvs = new Ipvs();
    await this.#feed(['ip', 'link', 'add', DUMMY_INTERFACE, 'type', 'dummy']);
    const links = new Rtnetlink();
    const dummy = links.link(DUMMY_INTERFACE)!.index;
    for (const [name, value] of Object.entries(SETTINGS)) writeFileSync(`/proc/sys/net/ipv4/vs/${name}`, value);
    await this.#feed(IPTABLES_RESTORE, ipvsRules(this.#node));
    return { ipvs, links, dummy };
  }
}

function serviceName({ protocol, address, port }: IpvsServiceKey): string {
  return `${protocol} ${address}:${port}`;
}
