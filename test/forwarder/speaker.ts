/** What one node's speaker holds for forwarding, without the speaker. */
import {
  createForwarder,
  type DesiredChange,
  type DesiredState,
  Director,
  type Forwarder,
  HostRoutes,
  OwnerRules,
} from '@fairlead/ipvs';
import type { Node } from './topology.js';

/** The one virtual router that all VIPs of a test are in. */
const VIRTUAL_ROUTER = 0;

export class Speaker {
  readonly node: Node;
  readonly director: Director;
  readonly forwarder: Forwarder;
  readonly #routes: HostRoutes;
  readonly #rules: OwnerRules;

  constructor(node: Node, kind: Forwarder['kind'], options: { mtu?: number } = {}) {
    const hostNetns = node.netns;
    this.node = node;
    this.director = Director.ensure({ name: node.director, hostNetns, ...options });
    this.forwarder = createForwarder({ kind, director: node.director });
    this.#routes = new HostRoutes({ hostNetns });
    this.#rules = new OwnerRules({ hostNetns });
  }

  /** Everything that a node has for a desired state, whether or not it owns the VIPs. */
  program(desired: DesiredState): void {
    this.director.sync(desired);
    this.forwarder.sync(desired);
    this.#routes.sync([{ index: VIRTUAL_ROUTER, vips: desired.vips }]);
  }

  update(change: Partial<DesiredChange>): void {
    this.forwarder.update({ changed: [], removed: [], addedVips: [], removedVips: [], ...change });
  }

  claim(): void {
    this.#rules.claim(VIRTUAL_ROUTER);
  }

  release(): void {
    this.#rules.release(VIRTUAL_ROUTER);
  }

  close(): void {
    for (const part of [this.director, this.forwarder, this.#routes, this.#rules]) part.close();
  }
}
