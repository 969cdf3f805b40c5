/**
 * From what the watches say to what the planner is told, one object at a time, and whether VIPs have to be assigned anew: an
 * EndpointSlice, a port or a label is no reason for that.
 */
import {
  type AddressPool,
  findPool,
  formatAddress,
  type ParsedPool,
  parseAddress,
  poolInEffect,
  vipsOf,
} from '@fairlead/api';
import {
  type NodeInput,
  type NodeObject,
  nodeInput,
  type Planner,
  type ServiceObject,
  serviceInput,
} from '@fairlead/ipvs';
import { type KubeObject, keyOf } from '@fairlead/kube';
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

export class Feed {
  readonly #planner: Planner;
  readonly #listener: FeedListener;
  /** Service → its VIPs. */
  readonly #vips = new Map<string, string>();
  readonly #nodes = new Map<string, NodeInput>();
  readonly #pools = new Map<string, ParsedPool>();
  #reassign = true;

  constructor(planner: Planner, listener: FeedListener) {
    this.#planner = planner;
    this.#listener = listener;
  }

  /** As they are in effect. */
  get pools(): ParsedPool[] {
    return [...this.#pools.values()];
  }

  get nodes(): NodeInput[] {
    return [...this.#nodes.values()];
  }

  /** Whether VIPs, pools or nodes changed since the last call, so that virtual routers may be other ones. */
  takeReassign(): boolean {
    const reassign = this.#reassign;
    this.#reassign = false;
    return reassign;
  }

  service(service: WatchedService): void {
    const key = keyOf(service);
    const vips = vipsOf(service).map(formatAddress).join();
    if ((this.#vips.get(key) ?? '') !== vips) this.#reassign = true;
    if (vips === '') this.#vips.delete(key);
    else this.#vips.set(key, vips);
    const input = serviceInput(service, (vip) => findPool(this.#pools.values(), parseAddress(vip)) !== undefined);
    if (input) {
      this.#planner.setService(input);
      this.#listener.set(key, service);
    } else this.#forget(key);
  }

  serviceGone(service: WatchedService): void {
    const key = keyOf(service);
    if (this.#vips.delete(key)) this.#reassign = true;
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
    if (!this.#nodes.has(input.name)) this.#reassign = true;
    this.#nodes.set(input.name, input);
    this.#planner.setNode(input);
  }

  nodeGone(node: WatchedNode): void {
    const { name } = nodeInput(node);
    if (this.#nodes.delete(name)) this.#reassign = true;
    this.#planner.deleteNode(name);
  }

  /** A pool decides which VIPs count, so all Services are looked at again. */
  poolsChanged(pools: Iterable<WatchedPool>, services: Iterable<WatchedService>): void {
    this.#pools.clear();
    for (const pool of [...pools].flatMap((object) => poolInEffect(object) ?? [])) this.#pools.set(pool.name, pool);
    this.#reassign = true;
    for (const service of services) this.service(service);
  }

  #forget(key: string): void {
    this.#planner.deleteService(key);
    this.#listener.delete(key);
  }
}
