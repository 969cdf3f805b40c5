/**
 * What differs between the forwarders: how virtual servers are written to the kernel and read from it. All that they
 * have in common (what to write, when a real server has been drained, drift) is in kernel-forwarder.ts.
 */
import type { Operation } from './diff.js';
import type { Flow, FlowCounts } from './flows.js';
import type { Forwarder, RealServer, VirtualServer, VirtualServerKey, VirtualServerStats } from './forwarder.js';

export interface Reading {
  /** Real servers in the order in which the kernel got them. */
  virtualServers: VirtualServer[];
  /** How many other things are not as this engine writes them; the next `apply` mends them too. */
  repairs: number;
}

/** Something that the kernel refused, while it did the rest. */
export interface Refusal {
  operation: Operation;
  error: Error;
  /** The kernel does not hold what it held last: reading it again helps. */
  drift: boolean;
}

export interface Engine {
  readonly kind: Forwarder['kind'];
  /** Whether `read` and the kernel know in which order real servers came. */
  readonly ordered: boolean;
  /** As this engine writes it: for comparisons with what it reads. The same object where that is no other. */
  normalize(server: VirtualServer): VirtualServer;
  /** Whether a real server of weight 0 keeps its connections there, and no new connection is refused because of it. */
  canDrain(server: VirtualServer): boolean;
  /** Settings on which forwarding depends; returns how many had to be set. */
  prepare(): number;
  /** A number that changes with whatever `read` reads, where the kernel has one. */
  generation?(): number;
  /** `thorough`: whatever it costs; else what is needed to compare with what is desired. */
  read(options: { thorough: boolean }): Reading;
  /**
   * Does all the operations in their order, and returns those that were refused for what they are. `before` and `after`
   * hold the virtual servers that they name, by name. Throws where it is unknown what the kernel holds now.
   */
  apply(
    operations: readonly Operation[],
    before: ReadonlyMap<string, VirtualServer>,
    after: ReadonlyMap<string, VirtualServer>,
  ): Refusal[];
  /** How many connections these real servers have, for each of these virtual servers. */
  connections(flows: readonly Flow[]): FlowCounts;
  stats(): VirtualServerStats[];
  close(): void;
}

export function keyOf({ address, port, protocol }: VirtualServerKey): VirtualServerKey {
  return { address, port, protocol };
}

/** Without what statistics and the like may have added. */
export function plainRealServer({ address, port, weight }: RealServer): RealServer {
  return { address, port, weight };
}
