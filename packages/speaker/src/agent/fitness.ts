/**
 * Whether this node may stand for election, once its forwarder has been in sync. Pure.
 *
 * What the cluster says against a node counts only while another node is better off: when all of them look bad at once the cause
 * is the observer (or the control plane), and an owner too many scruples would leave the VIPs to nobody.
 */

import { nodeAnnotations } from '@fairlead/api';

export interface FitnessInput {
  /** This node's name. */
  self: string;
  /** Nodes as this speaker sees them. */
  nodes: readonly { name: string; ready: boolean; excluded: boolean; drained?: true }[];
  /** What this speaker's probes say about a node's kube-proxy. */
  healthy: (node: string) => boolean;
  /** Why nothing could pass this node: no way into its director, or an obstacle on the host; undefined while all can. */
  broken?: string;
}

/** `mayPass`: a complaint that a busy moment can cause too. */
export type Fitness = { fit: true } | { fit: false; why: string; mayPass: boolean };

export function fitness(input: FitnessInput): Fitness {
  const self = input.nodes.find(({ name }) => name === input.self);
  if (self === undefined) {
    return { fit: false, why: `there is no Node "${input.self}" in the cluster`, mayPass: false };
  }
  if (self.excluded)
    return {
      fit: false,
      why: 'the Node is being deleted, or labelled to be excluded from load balancers',
      mayPass: false,
    };
  // Not a matter of opinion: nothing that comes here can be forwarded.
  if (input.broken !== undefined) return { fit: false, why: input.broken, mayPass: true };
  const complaint = complaintAbout(self, input);
  if (complaint === undefined) return { fit: true };
  const better = input.nodes.some(
    (node) => node !== self && !node.excluded && complaintAbout(node, input) === undefined,
  );
  return better ? { fit: false, why: complaint, mayPass: !self.drained } : { fit: true };
}

function complaintAbout(node: FitnessInput['nodes'][number], input: FitnessInput): string | undefined {
  if (node.drained) return `the Node is drained (annotation ${nodeAnnotations.drain})`;
  if (!node.ready) return 'the Node is not Ready';
  if (!input.healthy(node.name)) return 'its kube-proxy does not answer as healthy';
  return undefined;
}

/**
 * How long an owner bears a complaint that may pass, ms. Its VIPs are served meanwhile (the director forwards to all healthy nodes), and
 * handing over for nothing would cost every open connection.
 */
export const PATIENCE_MS = 3_000;

/** Turns a run of judgements into whether to stand: quick to take part, slow to give up for what may pass. */
export class Patience {
  #standing = false;
  #complainedSince: number | undefined;

  /** Whether to stand now, and when to ask again at the latest. `now`: monotonic ms. */
  next(fitness: Fitness, now: number): { stand: boolean; askAgainAt?: number } {
    if (fitness.fit || !fitness.mayPass || !this.#standing) {
      this.#complainedSince = undefined;
      this.#standing = fitness.fit;
      return { stand: this.#standing };
    }
    this.#complainedSince ??= now;
    const givesUpAt = this.#complainedSince + PATIENCE_MS;
    if (now < givesUpAt) return { stand: true, askAgainAt: givesUpAt };
    this.#complainedSince = undefined;
    this.#standing = false;
    return { stand: false };
  }
}
