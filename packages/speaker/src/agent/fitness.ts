/**
 * Whether this node may stand for election. Pure.
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

/**
 * How long the kernel must have been what it should be before a node begins to stand, ms. What had to be written or repaired just now may fail again,
 * and the first connections would find it out. An owner hands nothing over for that.
 */
export const SETTLE_MS = 1_000;

/** `settling`: nothing speaks against this node but that its kernel has not been in line for long enough, or is not. */
export interface Decision {
  stand: boolean;
  settling?: true;
  /** When to ask again at the latest, monotonic ms. */
  askAgainAt?: number;
}

/** Turns a run of judgements into whether to stand: quick to take part once the kernel has settled, slow to give up. */
export class Patience {
  #standing = false;
  #complainedSince: number | undefined;

  /** @param inLineSince since when the kernel has been what it should be; undefined: it is not. Monotonic ms, as `now` */
  next(fitness: Fitness, now: number, inLineSince: number | undefined): Decision {
    if (fitness.fit && !this.#standing) {
      if (inLineSince === undefined) return { stand: false, settling: true };
      const askAgainAt = inLineSince + SETTLE_MS;
      if (now < askAgainAt) return { stand: false, settling: true, askAgainAt };
    }
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
