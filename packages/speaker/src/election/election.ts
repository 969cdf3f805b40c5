/**
 * What the wire thread asks of an election engine. Which protocol decides (a Lease, or VRRP) is the engine's own affair.
 */

/** `lease`: lease-election.ts. `vrrp`: ../vrrp/vrrp-election.ts. */
export type Engine = 'lease' | 'vrrp';

/** A virtual router as an engine sees it. */
export interface Contested {
  /** `<pool>.<n>` */
  name: string;
  leaseName: string;
  /** Candidate nodes, best first; the same on every node. */
  ranking: readonly string[];
  engine: Engine;
  /** Whether a better node takes over from a healthy owner. */
  preempt: boolean;
  /** In canonical text form, each with the interface that it is announced on. */
  vips: readonly { address: string; uplink: string }[];
}

/**
 * On what grounds a node owns. `takeover`: the virtual router had an owner before, or may have had. `first`: none that anybody knows of, so
 * that another station may have its addresses. `resumed`: this node had it in an earlier life, and cannot ask who has it now.
 */
export type Claim = 'takeover' | 'first' | 'resumed';

/** How an engine tells the announcer. Calls come in order, and never for a virtual router that is not contested. */
export interface ElectionListener {
  /**
   * This node owns the virtual router from now on: route, answer and announce. `lapsed` is the node whose claim ran out instead of
   * being given back, if there was one: it has crashed, or its speaker is dead or frozen.
   */
  own(name: string, lapsed: string | undefined, claim: Claim): void;
  /**
   * This node does not own it any more. The engine gives the claim away only after this call has returned. `handsOver`: the next owner
   * comes after this, so this node may forward until it hears of it; otherwise there may be one already.
   */
  yield(name: string, reason: string, handsOver: boolean): void;
  /** Another node took itself for the owner, too, and gives way to this one: neighbours may believe it still. */
  contended(name: string): void;
  /** A node that owns something has not been heard of for longer than it should; whoever forwards to it had better not. */
  suspect(node: string): void;
  /** Who owns it, as far as this node knows; undefined when nobody does. */
  holder(name: string, node: string | undefined): void;
}

export interface Election {
  /** Contests exactly these virtual routers; those that are left out are yielded. */
  configure(contested: readonly Contested[]): void;
  /** Whether this node may stand. An owner that becomes unfit hands over. */
  setFit(fit: boolean): void;
  /** Whether this node may answer for the virtual router at this very moment. Cheap: asked for every ARP request. */
  mayAnswer(name: string): boolean;
  /** Whether this node owns it, but cannot have that confirmed at present: it had better listen whether somebody else does. */
  isUncertain(name: string): boolean;
  /** A node asks to be handed over to; undefined: none does (any more). An owner hands over, a standby leaves it to that node. */
  claimed(name: string, node: string | undefined): void;
  /** Another station announced an address of the virtual router. */
  rivalHeard(name: string): void;
  /** Yields everything; with `release`, lets the others take over at once. */
  stop(options: { release: boolean }): Promise<void>;
}
