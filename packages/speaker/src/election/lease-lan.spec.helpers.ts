/**
 * Speakers on one LAN that elect an owner by Lease, whole but for their kernels: wire, election and lock as they run, real frames between them,
 * and an API server. Processes freeze, die and start again; the LAN and the API server fail one by one or for all. All in virtual time.
 */

import type { LeaseClient, LeaseObject } from '@fairlead/lease-lock';
import { gratuitousArp } from '../wire/arp.js';
import { formatMac, parseMac } from '../wire/mac.js';
import { request } from '../wire/wire.spec.helpers.js';
import { refusal, Speaker } from './lease-speaker.spec.helpers.js';

export const LATENCY_MS = 1;
/** A client's. */
const QUESTION = request(0x0a4d00c8);
/** A host that is no node, and takes the other VIP for its own. */
const [STRANGER] = gratuitousArp(0x0a4d00d0, parseMac('02:00:00:00:00:99'));

export class LeaseLan {
  now = 0;
  readonly nodes: Speaker[];
  /** Whether a frame from one node to another gets lost. */
  loses: (from: number, to: number) => boolean = () => false;
  /** What requests, answers and events of a watch take, at most, ms. */
  maxDelayMs = 2;
  /** Chance that an answer to a request is lost, though the request was carried out. */
  replyLoss = 0;
  /** A client's question, which was on its way or waited in a socket until now, is answered. */
  onAnswer: (node: Speaker) => void = () => {};
  lease: LeaseObject | undefined;
  #version = 100;
  #order = 0;
  readonly #events: { at: number; order: number; run: () => void }[] = [];

  /** @param rates of the nodes' clocks: how much they show per millisecond */
  constructor(
    rates: readonly number[],
    readonly random: () => number,
  ) {
    this.nodes = rates.map((rate, id) => new Speaker(this, id, rate));
    for (const node of this.nodes) node.boot();
  }

  after(ms: number, run: () => void): void {
    this.#events.push({ at: this.now + ms, order: this.#order++, run });
  }

  /** Lets time pass; `watch` is called after every event. */
  async run(ms: number, watch: () => void = () => {}): Promise<void> {
    const end = this.now + ms;
    for (;;) {
      const next = this.#events.reduce((a, b) => (b.at < a.at || (b.at === a.at && b.order < a.order) ? b : a), {
        at: Number.POSITIVE_INFINITY,
        order: 0,
        run: () => {},
      });
      if (next.at > end) break;
      this.#events.splice(this.#events.indexOf(next), 1);
      this.now = Math.max(this.now, next.at);
      next.run();
      // Answers pass through a few promises before a lock hears of them.
      for (let i = 0; i < 8; i++) await null;
      watch();
    }
    this.now = end;
  }

  delay(): number {
    return this.random() * this.maxDelayMs;
  }

  /** Nodes that answer a client's ARP request at this moment. */
  answering(): Speaker[] {
    return this.nodes.filter((node) => node.answers());
  }

  /** A client asks now and then, as long as time passes. */
  askEvery(ms: number): void {
    this.after(ms, () => {
      for (const node of this.nodes) this.after(LATENCY_MS, () => node.frame(QUESTION));
      this.askEvery(ms);
    });
  }

  stranger(): void {
    for (const node of this.nodes) this.after(LATENCY_MS, () => node.frame(STRANGER));
  }

  strangerEvery(ms: number): void {
    this.stranger();
    this.after(ms, () => this.strangerEvery(ms));
  }

  broadcast(from: Speaker, frames: readonly Buffer[]): void {
    for (const frame of frames) {
      const to = formatMac(frame.subarray(0, 6));
      for (const node of this.nodes) {
        if (node === from || (to !== 'ff:ff:ff:ff:ff:ff' && to !== node.mac) || this.loses(from.id, node.id)) continue;
        this.after(LATENCY_MS, () => node.frame(frame));
      }
    }
  }

  /** What the API server does with a request that has arrived. */
  apply(verb: keyof LeaseClient, body: LeaseObject | undefined): LeaseObject {
    if (verb === 'create' && this.lease) throw refusal('FL_KUBE_ALREADY_EXISTS', 409);
    if (verb !== 'create' && !this.lease) throw refusal('FL_KUBE_NOT_FOUND', 404);
    if (verb === 'get') return structuredClone(this.lease!);
    if (verb === 'update' && body!.metadata?.resourceVersion !== this.lease!.metadata?.resourceVersion) {
      throw refusal('FL_KUBE_CONFLICT', 409);
    }
    this.lease = structuredClone(body!);
    this.lease.metadata = { ...this.lease.metadata, resourceVersion: String(++this.#version) };
    for (const node of this.nodes) node.watched();
    return structuredClone(this.lease);
  }
}
