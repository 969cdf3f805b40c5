/**
 * From what the watches say to what the planner and the assignment of VIPs are told, one object at a time. What changes nothing for
 * them (a node's heartbeat, a pool's count of free addresses) ends here.
 */
import { isDeepStrictEqual } from 'node:util';
import { type AddressPool, findPool, type Labels, type ParsedPool, parseAddress, poolInEffect } from '@fairlead/api';
import {
  type NodeInput,
  type NodeObject,
  nodeInput,
  type Planner,
  type ServiceObject,
  serviceInput,
} from '@fairlead/ipvs';
import { type KubeObject, keyOf } from '@fairlead/kube';
import type { Assignment, Ground } from './assignment.js';
import type { WatchedSlice } from './endpoint-slices.js';

export type WatchedService = ServiceObject & KubeObject;
export type WatchedNode = NodeObject & KubeObject;
export type WatchedPool = AddressPool & KubeObject;

/** Who else wants to know of them, by name of the Service. */
export interface FeedListener {
  set(name: string, service: WatchedService): void;
  delete(name: string): void;
  endpointsChanged(name: string): void;
}

type FedAssignment = Pick<Assignment, 'setService' | 'deleteService' | 'setGround'>;

export class Feed {
  readonly #planner: Planner;
  readonly #assignment: FedAssignment;
  readonly #listener: FeedListener;
  readonly #self: string | undefined;
  readonly #nodes = new Map<string, NodeInput>();
  readonly #labels = new Map<string, Labels>();
  #pools: ParsedPool[] = [];
  #interfaces: Ground['interfaces'] = [];
  /** What all VIPs depend on has changed, and they were not looked at again. */
  #groundChanged = false;
  #nodesChanged = false;

  /** @param self this node's name */
  constructor(planner: Planner, assignment: FedAssignment, listener: FeedListener, self?: string) {
    this.#self = self;
    this.#planner = planner;
    this.#assignment = assignment;
    this.#listener = listener;
  }

  get nodes(): NodeInput[] {
    return [...this.#nodes.values()];
  }

  /**
   * Whether any node is another than at the last call. Elections go by more of a node than the plan and the assignment do, such as whether it is
   * drained, so these two need not change with it.
   */
  takeNodesChanged(): boolean {
    const changed = this.#nodesChanged;
    this.#nodesChanged = false;
    return changed;
  }

  /** To be called when everything was told, before anybody asks the assignment. */
  settle(): void {
    if (!this.#groundChanged) return;
    this.#groundChanged = false;
    this.#assignment.setGround({
      pools: this.#pools,
      nodes: [...this.#nodes.keys()].sort(),
      excluded: new Set([...this.#nodes.values()].flatMap(({ name, excluded }) => (excluded ? [name] : []))),
      labels: new Map(this.#labels),
      ...(this.#self !== undefined && { self: this.#self }),
      interfaces: this.#interfaces,
    });
  }

  service(service: WatchedService): void {
    const key = keyOf(service);
    this.#assignment.setService(key, service);
    const input = serviceInput(service, (vip) => findPool(this.#pools, parseAddress(vip)) !== undefined);
    if (input) {
      this.#planner.setService(input);
      this.#listener.set(key, service);
    } else this.#forget(key);
  }

  serviceGone(service: WatchedService): void {
    const key = keyOf(service);
    this.#assignment.deleteService(key);
    this.#forget(key);
  }

  slice(slice: WatchedSlice): void {
    if (slice.input) {
      this.#planner.setEndpoints(slice.input);
      this.#listener.endpointsChanged(slice.input.service);
    } else this.sliceGone(slice);
  }

  sliceGone(slice: WatchedSlice): void {
    this.#planner.deleteEndpoints(keyOf(slice));
    if (slice.input) this.#listener.endpointsChanged(slice.input.service);
  }

  node(node: WatchedNode): void {
    const input = nodeInput(node);
    const labels = node.metadata?.labels ?? {};
    const before = this.#nodes.get(input.name);
    // Owners of virtual routers talk to each other by the addresses.
    const sameAddresses = before?.internalIPs.join() === input.internalIPs.join();
    const sameLabels = isDeepStrictEqual(this.#labels.get(input.name), labels);
    if (!sameAddresses || !sameLabels || before.excluded !== input.excluded) this.#groundChanged = true;
    if (!sameLabels || !isDeepStrictEqual(before, input)) this.#nodesChanged = true;
    this.#labels.set(input.name, labels);
    this.#nodes.set(input.name, input);
    this.#planner.setNode(input);
  }

  nodeGone(node: WatchedNode): void {
    const { name } = nodeInput(node);
    if (this.#nodes.delete(name)) {
      this.#groundChanged = true;
      this.#nodesChanged = true;
    }
    this.#labels.delete(name);
    this.#planner.deleteNode(name);
  }

  /** Pools decide which VIPs count, so all Services are looked at again if they do it otherwise than before. */
  pools(objects: Iterable<WatchedPool>, services: () => Iterable<WatchedService>): void {
    const pools = [...objects]
      .flatMap((object) => poolInEffect(object) ?? [])
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    if (isDeepStrictEqual(pools, this.#pools)) return;
    this.#pools = pools;
    this.#groundChanged = true;
    for (const service of services()) this.service(service);
  }

  interfaces(interfaces: Ground['interfaces']): void {
    if (isDeepStrictEqual(interfaces, this.#interfaces)) return;
    this.#interfaces = interfaces;
    this.#groundChanged = true;
  }

  #forget(key: string): void {
    this.#planner.deleteService(key);
    this.#listener.delete(key);
  }
}
