/**
 * From what the cluster says to what this node's director should do: which VIPs exist, and where each of their ports is forwarded.
 * Pure, and the same on every node, so that all directors agree before any of them owns a VIP.
 *
 * Told one event at a time, in any order. An event marks the Services that it concerns, and those are planned anew when somebody asks,
 * so work is in proportion to what changed: one EndpointSlice costs one Service. Only a node that comes or goes costs every Service
 * that is forwarded to all nodes, because it changes them.
 *
 * A real server of a node may be this node's own NodePort: the director has a network namespace of its own, so its packets enter the
 * host like anyone's and pass kube-proxy's PREROUTING.
 */
import { isDeepStrictEqual } from 'node:util';
import { ForwardingError } from '../errors.js';
import {
  type DesiredChange,
  type DesiredState,
  endpoint,
  familyOf,
  type RealServer,
  type VirtualServer,
  type VirtualServerKey,
  virtualServerName,
} from '../forwarder.js';
import { sortAddresses, sortByKeys } from '../order.js';
import { Changes } from './changes.js';
import { Claims } from './claims.js';
import { Counted } from './counted.js';
import { Dependents } from './dependents.js';
import { areNowhere, EndpointTable } from './endpoint-table.js';
import type { CheckInput, EndpointsInput, NodeInput, PlanProblem, ServiceInput, ServicePortInput } from './input.js';
import { type Family, NodeTable, type NodeView } from './node-table.js';
import { ProblemTable } from './problems.js';
import { realServersOf } from './real-servers.js';
import { DEFAULT_SCHEDULER, parseScheduler, type Scheduler } from './scheduler.js';
import { planService, type Wish, wishOf } from './service-plan.js';

export interface PlannerOptions {
  /** The share of nodes that has to look unusable for all to be kept; above 0, default 1: every one of them. */
  panicShare?: number;
  /** For Services that name none, as `parseScheduler` reads it; default `wrr`. */
  scheduler?: string;
}

/** A real server, whether it passes its check or not. */
export interface Candidate {
  address: string;
  port: number;
  tcp: boolean;
}

/** A Service and its plan. */
interface Planned {
  wish: Wish;
  servers: ReadonlyMap<string, VirtualServer>;
  /** Nodes that decide about it by themselves, not only by being in the list of usable ones. */
  nodes: ReadonlySet<string>;
  /** Addresses of its endpoints on dead nodes. */
  dead: readonly string[];
}

const NONE: ReadonlySet<string> = new Set();

export class Planner {
  readonly #scheduler: Scheduler;
  readonly #nodes: NodeTable;
  readonly #endpoints = new EndpointTable();
  readonly #services = new Map<string, Planned>();
  /** Service → its real servers that fail their check: `address`, or `address:port`. */
  readonly #failing = new Map<string, Set<string>>();

  readonly #claims = new Claims();
  readonly #vips = new Counted();
  readonly #dependents = new Dependents();
  readonly #problems = new ProblemTable();
  readonly #changes = new Changes();
  /** Of endpoints; those of nodes are the node table's. */
  readonly #deadEndpoints = new Counted();
  #dead: ReadonlySet<string> = NONE;

  /** Services to plan anew. */
  readonly #dirty = new Set<string>();
  /** Nodes that changed since `#view` was looked at. */
  readonly #changedNodes = new Set<string>();
  #view: NodeView;
  #deadChanged = false;
  #realServerCount = 0;
  #virtualServerCount = 0;

  /** Throws ForwardingError FL_BAD_SCHEDULER. */
  constructor({ scheduler = DEFAULT_SCHEDULER, panicShare }: PlannerOptions = {}) {
    const parsed = parseScheduler(scheduler);
    if ('wrong' in parsed) {
      throw new ForwardingError(
        'FL_BAD_SCHEDULER',
        `cannot use "${scheduler}" as the default scheduler: ${parsed.wrong}`,
      );
    }
    this.#scheduler = parsed;
    this.#nodes = new NodeTable({ panicShare });
    this.#view = this.#nodes.view();
  }

  /** A new Service, or a new version of one. */
  setService(input: ServiceInput): void {
    const known = this.#services.get(input.name);
    if (known && isDeepStrictEqual(known.wish.input, input)) return;
    const wish = wishOf(input, this.#scheduler);
    this.#claim(input.name, known?.wish, wish);
    if (known) known.wish = wish;
    else this.#services.set(input.name, { wish, servers: new Map(), nodes: NONE, dead: [] });
    this.#dirty.add(input.name);
  }

  deleteService(name: string): void {
    this.#failing.delete(name);
    const known = this.#services.get(name);
    if (!known) return;
    this.#services.delete(name);
    this.#dirty.delete(name);
    this.#claim(name, known.wish, undefined);
    for (const key of known.servers.keys()) this.#changes.touch(key);
    this.#count(known.servers, new Map());
    this.#dependents.change(name, known.nodes, NONE);
    this.#countDead(known.dead, []);
    this.#problems.set(name, []);
  }

  /** A new EndpointSlice, or a new version of one; its Service may come later. */
  setEndpoints(slice: EndpointsInput): void {
    this.#endpointsChanged(this.#endpoints.set(slice));
  }

  /** @param name `namespace/name` of the EndpointSlice */
  deleteEndpoints(name: string): void {
    this.#endpointsChanged(this.#endpoints.delete(name));
  }

  setNode(node: NodeInput): void {
    if (this.#nodes.set(node)) this.#changedNodes.add(node.name);
  }

  /** Forgets what probes said of it, too. */
  deleteNode(name: string): void {
    if (this.#nodes.delete(name)) this.#changedNodes.add(name);
  }

  /** What the probes say; nodes are healthy until they say otherwise. Where they fail, connections are not drained. */
  setNodeHealth(name: string, healthy: boolean): void {
    if (this.#nodes.setHealth(name, healthy)) this.#changedNodes.add(name);
  }

  /** A suspect gets no new connections, but those that it has may go on. */
  setNodeSuspect(name: string, suspect: boolean): void {
    if (this.#nodes.setSuspect(name, suspect)) this.#changedNodes.add(name);
  }

  /**
   * A real server that fails its check gets no new connections, unless all of that port do. Who stops checking one has to take back
   * what it said (`healthy: true`); with its Service it is forgotten.
   */
  setCheck({ service, address, port, healthy }: CheckInput): void {
    const failing = this.#failing.get(service) ?? new Set();
    const key = port === undefined ? address : endpoint(address, port);
    if (failing.has(key) !== healthy) return;
    if (healthy) failing.delete(key);
    else failing.add(key);
    if (failing.size === 0) this.#failing.delete(service);
    else this.#failing.set(service, failing);
    if (this.#services.has(service)) this.#dirty.add(service);
  }

  /**
   * What a Service would be forwarded to if nothing failed its check, each once: what there is to check. `tcp` says whether it serves a
   * TCP port: nothing else can be asked by connecting.
   */
  candidates(service: string): Candidate[] {
    this.#plan();
    const found = new Map<string, Candidate>();
    for (const [name, { key, from }] of this.#services.get(service)?.wish.wanted ?? []) {
      if (this.#claims.winner(name) !== service) continue;
      for (const { address, port } of this.#realServers(service, familyOf(key.address), from) ?? []) {
        const known = found.get(endpoint(address, port));
        found.set(endpoint(address, port), { address, port, tcp: from.protocol === 'tcp' || known?.tcp === true });
      }
    }
    return [...found.values()];
  }

  /** What changed since the last call, in canonical order; the first one gives everything. */
  take(): DesiredChange {
    this.#plan();
    const change = this.#changes.take(
      (name) => this.#services.get(this.#claims.winner(name) ?? '')?.servers.get(name),
      (vip) => this.#vips.has(vip),
    );
    return this.#withDead(change);
  }

  /** Everything, in canonical order. */
  desired(): DesiredState {
    this.#plan();
    return this.#withDead({
      vips: sortAddresses(this.#vips.members()),
      virtualServers: sortByKeys([...this.#services.values()].flatMap(({ servers }) => [...servers.values()])),
    });
  }

  /** The Service (`namespace/name`) that has this virtual server; undefined: none. */
  ownerOf(virtualServer: VirtualServerKey): string | undefined {
    return this.#claims.winner(virtualServerName(virtualServer));
  }

  /** By name of the Service; the same array until something in it changes. */
  get problems(): readonly PlanProblem[] {
    this.#plan();
    return this.#problems.list();
  }

  /** Too few nodes are usable to be believed, so all are kept. */
  get panic(): boolean {
    this.#plan();
    return this.#view.panic;
  }

  /** How many there are of each, without looking at them all. */
  get counts(): { vips: number; virtualServers: number; realServers: number } {
    this.#plan();
    return { vips: this.#vips.size, virtualServers: this.#virtualServerCount, realServers: this.#realServerCount };
  }

  #withDead<T extends object>(state: T): T & { dead?: ReadonlySet<string> } {
    return this.#dead.size > 0 ? { ...state, dead: this.#dead } : state;
  }

  /** From the VIPs and virtual servers that a Service wanted to those that it wants. */
  #claim(service: string, before: Wish | undefined, after: Wish | undefined): void {
    for (const vip of after?.vips ?? []) this.#vips.add(vip);
    for (const vip of before?.vips ?? []) this.#vips.remove(vip);
    for (const vip of [...(after?.vips ?? []), ...(before?.vips ?? [])]) this.#changes.touchVip(vip);
    for (const name of before?.wanted.keys() ?? []) {
      if (!after?.wanted.has(name)) this.#mark(this.#claims.remove(name, service));
    }
    for (const name of after?.wanted.keys() ?? []) {
      if (!before?.wanted.has(name)) this.#mark(this.#claims.add(name, service));
    }
  }

  #endpointsChanged(services: readonly string[]): void {
    this.#mark(services.filter((name) => !this.#goesToAllNodes(name)));
  }

  #goesToAllNodes(service: string): boolean {
    return this.#services.get(service)?.wish.settings.mode === 'nodes';
  }

  #mark(services: Iterable<string>): void {
    for (const name of services) if (this.#services.has(name)) this.#dirty.add(name);
  }

  /** Brings what is planned in line with what was told. */
  #plan(): void {
    if (this.#changedNodes.size > 0) this.#nodesChanged();
    for (const name of this.#dirty) this.#planService(name, this.#services.get(name)!);
    this.#dirty.clear();
    if (!this.#deadChanged) return;
    this.#deadChanged = false;
    this.#dead = new Set(sortAddresses([...this.#nodes.deadAddresses(), ...this.#deadEndpoints.members()]));
  }

  #nodesChanged(): void {
    const before = this.#view;
    this.#view = this.#nodes.view();
    this.#deadChanged = true;
    if (before.panic !== this.#view.panic) this.#mark(this.#services.keys());
    else {
      for (const node of this.#changedNodes) this.#mark(this.#dependents.of(node));
      if (!isDeepStrictEqual(before.addresses, this.#view.addresses)) {
        this.#mark([...this.#services.keys()].filter((name) => this.#goesToAllNodes(name)));
      }
    }
    this.#changedNodes.clear();
  }

  #planService(name: string, planned: Planned): void {
    const { servers, problems } = planService(planned.wish, {
      owner: (key) => this.#claims.winner(key),
      realServers: (family, port) => this.#realServers(name, family, port),
      nowhere: (family, port) => areNowhere(this.#endpoints.endpointsOf(name, family, port)),
      failing: this.#failing.get(name),
      before: planned.servers,
    });
    for (const key of planned.servers.keys()) if (!servers.has(key)) this.#changes.touch(key);
    for (const [key, server] of servers) if (planned.servers.get(key) !== server) this.#changes.touch(key);
    this.#count(planned.servers, servers);
    planned.servers = servers;
    this.#problems.set(name, problems);
    this.#watchNodes(name, planned);
  }

  #realServers(service: string, family: Family, port: ServicePortInput): RealServer[] | undefined {
    return realServersOf(this.#services.get(service)!.wish.settings.mode, family, port, {
      nodes: this.#nodes,
      endpoints: (family, port) => this.#endpoints.endpointsOf(service, family, port),
    });
  }

  /** Which nodes decide about the Service from now on, and which of its endpoints are on dead ones. */
  #watchNodes(name: string, planned: Planned): void {
    const { mode } = planned.wish.settings;
    const nodes = mode === 'nodes' ? NONE : this.#endpoints.nodesOf(name);
    this.#dependents.change(name, planned.nodes, nodes);
    planned.nodes = nodes;
    const deadNodes = mode === 'pods' ? [...nodes].filter((node) => this.#nodes.isDead(node)) : [];
    const dead = deadNodes.length > 0 ? this.#endpoints.addressesOn(name, new Set(deadNodes)) : [];
    this.#countDead(planned.dead, dead);
    planned.dead = dead;
  }

  #count(before: ReadonlyMap<string, VirtualServer>, after: ReadonlyMap<string, VirtualServer>): void {
    this.#virtualServerCount += after.size - before.size;
    for (const { realServers } of after.values()) this.#realServerCount += realServers.length;
    for (const { realServers } of before.values()) this.#realServerCount -= realServers.length;
  }

  #countDead(before: readonly string[], after: readonly string[]): void {
    if (before.length + after.length === 0) return;
    for (const address of after) this.#deadEndpoints.add(address);
    for (const address of before) this.#deadEndpoints.remove(address);
    this.#deadChanged = true;
  }
}
