/**
 * Rtnetlink: links, addresses, routes, rules and neighbours of one network namespace.
 *
 * Every method asks the kernel and returns when it has answered (some microseconds). A refusal is thrown as
 * NetlinkError. The methods for many objects send them in batches and return the refusals instead, by position.
 */
import { closeSync, openSync } from 'node:fs';
import { netnsPath, type Repetition } from '@fairlead/raw-socket';
import type { BatchFailure, Request } from '../batch.js';
import { fromSystemError, hasCode, NetlinkError } from '../errors.js';
import type { Family } from '../ip.js';
import { encodeMessages, NLM_F_REQUEST } from '../message.js';
import { repeatDatagram } from '../repeat.js';
import { NetlinkSocket } from '../socket.js';
import type { Transport } from '../transport.js';
import {
  type Address,
  type AddressKey,
  type AddressOptions,
  addAddressRequest,
  decodeInterfaceAddress,
  deleteAddressRequest,
  listAddressesRequest,
} from './address.js';
import { NETLINK_ROUTE, RTM_NEWADDR, RTM_NEWLINK, RTM_NEWNEIGH, RTM_NEWROUTE, RTM_NEWRULE } from './constants.js';
import {
  addLinkRequest,
  addVethRequest,
  decodeLink,
  deleteLinkRequest,
  getLinkRequest,
  type Link,
  type LinkChange,
  listLinksRequest,
  setLinkRequest,
  type VethOptions,
} from './link.js';
import {
  decodeNeighbour,
  deleteNeighbourRequest,
  listNeighboursRequest,
  type Neighbour,
  type NeighbourKey,
  type NeighbourOptions,
  replaceNeighbourRequest,
} from './neighbour.js';
import {
  addRouteRequest,
  decodeRoute,
  deleteRouteRequest,
  listRoutesRequest,
  type Route,
  type RouteDeletion,
  type RouteOptions,
} from './route.js';
import {
  addRuleRequest,
  decodeRule,
  deleteRuleRequest,
  listRulesRequest,
  type Rule,
  type RuleOptions,
} from './rule.js';

export interface RtnetlinkOptions {
  /** A name under /run/netns or an absolute path; by default the network namespace of this process. */
  netns?: string;
  timeoutMs?: number;
  /** In place of a kernel socket, for tests. */
  transport?: Transport;
}

export class Rtnetlink {
  readonly #socket: NetlinkSocket;
  readonly #netns: string | undefined;

  constructor(options: RtnetlinkOptions = {}) {
    this.#netns = options.netns;
    this.#socket = new NetlinkSocket({ ...options, protocol: NETLINK_ROUTE, strictDumps: true });
  }

  links(): Link[] {
    return this.#list(listLinksRequest(), RTM_NEWLINK, decodeLink);
  }

  /** undefined if there is no such link. */
  link(nameOrIndex: string | number): Link | undefined {
    try {
      const [message] = this.#socket.request(getLinkRequest(nameOrIndex));
      return message && decodeLink(message.payload);
    } catch (error) {
      if (hasCode(error, 'ENODEV')) return undefined;
      throw error;
    }
  }

  /** Makes a pair of virtual Ethernet interfaces; returns this end. Both are down. */
  addVeth(veth: VethOptions): Link {
    this.#withNetns(veth.peer.netns, (fd) => addVethRequest(veth, fd));
    return this.#mustFind(veth.name);
  }

  addBridge(name: string): Link {
    this.#socket.request(addLinkRequest(name, 'bridge'));
    return this.#mustFind(name);
  }

  setLink(index: number, change: LinkChange): void {
    this.#withNetns(change.netns, (fd) => setLinkRequest(index, change, fd));
  }

  /** Deleting one end of a veth pair deletes the other too. */
  deleteLink(index: number): void {
    this.#socket.request(deleteLinkRequest(index));
  }

  addresses(filter: { index?: number; family?: Family } = {}): Address[] {
    // Kernels without strict dump checking return more than was asked for.
    return this.#list(listAddressesRequest(filter), RTM_NEWADDR, decodeInterfaceAddress).filter(
      (address) => filter.index === undefined || address.index === filter.index,
    );
  }

  /** EEXIST if it is there. */
  addAddress(address: AddressOptions): void {
    this.#socket.request(addAddressRequest(address));
  }

  /** Adds the address, or changes its lifetime if it is there. */
  replaceAddress(address: AddressOptions): void {
    this.#socket.request(addAddressRequest(address, true));
  }

  /**
   * Does what `replaceAddress` does over and over, without a turn of JavaScript, until what is returned is called (repeat.ts): whether it is
   * done, nobody is told.
   */
  repeatReplaceAddress(address: AddressOptions, repetition: Repetition, onMissed: () => void): () => void {
    const { type, flags = 0, body } = addAddressRequest(address, true);
    const data = encodeMessages([{ type, flags: flags | NLM_F_REQUEST, sequence: 0, payload: body }]);
    return repeatDatagram(data, { ...repetition, netns: this.#netns, protocol: NETLINK_ROUTE, onMissed });
  }

  /** EADDRNOTAVAIL if it is not there. */
  deleteAddress(key: AddressKey): void {
    this.#socket.request(deleteAddressRequest(key));
  }

  addAddresses(addresses: readonly AddressOptions[]): BatchFailure[] {
    return this.#socket.batch(addresses.map((address) => addAddressRequest(address)));
  }

  deleteAddresses(keys: readonly AddressKey[]): BatchFailure[] {
    return this.#socket.batch(keys.map(deleteAddressRequest));
  }

  /** Of all tables and both families unless the filter says otherwise; without cached entries. */
  routes(filter: { table?: number; family?: Family } = {}): Route[] {
    try {
      return this.#list(listRoutesRequest(filter), RTM_NEWROUTE, decodeRoute).filter(
        (route) => filter.table === undefined || route.table === filter.table,
      );
    } catch (error) {
      // A table exists from its first route on.
      if (filter.table !== undefined && hasCode(error, 'ENOENT')) return [];
      throw error;
    }
  }

  /** EEXIST if a route with that destination, table and metric is there. */
  addRoute(route: RouteOptions): void {
    this.#socket.request(addRouteRequest(route, false));
  }

  /** Adds the route in place of one with the same destination, table and metric. */
  replaceRoute(route: RouteOptions): void {
    this.#socket.request(addRouteRequest(route, true));
  }

  /** Deletes the first route that matches; ESRCH if none does. */
  deleteRoute(route: RouteDeletion): void {
    this.#socket.request(deleteRouteRequest(route));
  }

  replaceRoutes(routes: readonly RouteOptions[]): BatchFailure[] {
    return this.#socket.batch(routes.map((route) => addRouteRequest(route, true)));
  }

  deleteRoutes(routes: readonly RouteDeletion[]): BatchFailure[] {
    return this.#socket.batch(routes.map(deleteRouteRequest));
  }

  /** In the order in which the kernel tries them. */
  rules(family: Family): Rule[] {
    return this.#list(listRulesRequest(family), RTM_NEWRULE, decodeRule);
  }

  /** EEXIST if there is one with the same selectors. */
  addRule(rule: RuleOptions): void {
    this.#socket.request(addRuleRequest(rule));
  }

  /** Deletes the first rule with these selectors; ENOENT if there is none. */
  deleteRule(rule: RuleOptions): void {
    this.#socket.request(deleteRuleRequest(rule));
  }

  addRules(rules: readonly RuleOptions[]): BatchFailure[] {
    return this.#socket.batch(rules.map(addRuleRequest));
  }

  deleteRules(rules: readonly RuleOptions[]): BatchFailure[] {
    return this.#socket.batch(rules.map(deleteRuleRequest));
  }

  /** ARP and NDP entries, or with `proxy` the addresses answered for others. */
  neighbours(filter: { index?: number; family?: Family; proxy?: boolean } = {}): Neighbour[] {
    return this.#list(listNeighboursRequest(filter), RTM_NEWNEIGH, decodeNeighbour).filter(
      (neighbour) => filter.index === undefined || neighbour.index === filter.index,
    );
  }

  replaceNeighbour(neighbour: NeighbourOptions): void {
    this.#socket.request(replaceNeighbourRequest(neighbour));
  }

  /** ENOENT if it is not there. */
  deleteNeighbour(key: NeighbourKey): void {
    this.#socket.request(deleteNeighbourRequest(key));
  }

  close(): void {
    this.#socket.close();
  }

  #list<T>(request: Request, messageType: number, decode: (payload: Buffer) => T | undefined): T[] {
    return this.#socket
      .dump(request)
      .filter((message) => message.type === messageType)
      .map((message) => decode(message.payload))
      .filter((object) => object !== undefined);
  }

  #mustFind(name: string): Link {
    const link = this.link(name);
    if (!link) throw new NetlinkError({ operation: `find ${name} after creating it`, errno: 19 });
    return link;
  }

  /** Sends a request that names a network namespace by a descriptor, which the kernel looks up during send(). */
  #withNetns(netns: string | undefined, makeRequest: (fd?: number) => Request): void {
    if (netns === undefined) {
      this.#socket.request(makeRequest());
      return;
    }
    const fd = openNetns(netns);
    try {
      this.#socket.request(makeRequest(fd));
    } finally {
      closeSync(fd);
    }
  }
}

function openNetns(netns: string): number {
  const path = netnsPath(netns);
  try {
    return openSync(path, 'r');
  } catch (error) {
    throw fromSystemError(error, `open network namespace ${path}`);
  }
}
