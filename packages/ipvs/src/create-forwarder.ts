/** Which engine forwards in a director. */
import { existsSync } from 'node:fs';
import { hasCode, Ipvs } from '@fairlead/netlink';
import { TrackedFlows } from './flows.js';
import type { DesiredState, Forwarder, SyncResult } from './forwarder.js';
import { IpvsEngine } from './ipvs/engine.js';
import { KernelForwarder, type KernelForwarderOptions, type KernelForwarderParts } from './kernel-forwarder.js';
import { silent } from './log.js';
import { type Nft, NftCommand } from './nft.js';
import { NftablesEngine } from './nftables/engine.js';
import { deleteTableScript, TABLE } from './nftables/ruleset.js';

export interface ForwarderOptions extends KernelForwarderOptions {
  /** `auto`: ipvs where the kernel has it, else nftables. */
  kind: Forwarder['kind'] | 'auto';
  /** Name of the director's network namespace. */
  director: string;
  /** An open connection to the director's IPVS, in place of a new one; closed with the forwarder. */
  ipvs?: Ipvs;
}

/**
 * Opens a forwarder; the kernel is not changed before its first `sync`. That one also clears away what the other
 * engine may have left in the director, or both would forward.
 * Throws IpvsError FL_NO_IPVS when `ipvs` is asked for and the kernel has none.
 */
export function createForwarder({ kind, director, ipvs, ...options }: ForwarderOptions): Forwarder {
  const { log = silent } = options;
  const nft = new NftCommand(director);
  const flows = new TrackedFlows(director);
  if (kind !== 'nftables') {
    try {
      return new SoleForwarder({ engine: IpvsEngine.open(director, log, ipvs), flows }, options, () =>
        retireNftables(nft),
      );
    } catch (error) {
      if (kind === 'ipvs' || !hasCode(error, 'FL_NO_IPVS')) throw error;
      log.info({ director }, 'this kernel has no ip_vs: forwarding by nftables');
    }
  }
  return new SoleForwarder({ engine: new NftablesEngine(nft, flows, director), flows }, options, () =>
    retireIpvs(director),
  );
}

/** A forwarder that has the director to itself: the other engine's remains go once its own virtual servers stand. */
class SoleForwarder extends KernelForwarder {
  readonly #retireOther: () => number;
  #alone = false;

  constructor(parts: KernelForwarderParts, options: KernelForwarderOptions, retireOther: () => number) {
    super(parts, options);
    this.#retireOther = retireOther;
  }

  override sync(desired: DesiredState): SyncResult {
    let { operations } = super.sync(desired);
    if (!this.#alone) operations += this.#retireOther();
    this.#alone = true;
    return { operations };
  }
}

/** Its connections go on: they are in connection tracking. */
function retireNftables(nft: Nft): number {
  if (!nft.listTable('inet', TABLE, { elements: false })) return 0;
  nft.run(deleteTableScript);
  return 1;
}

function retireIpvs(director: string): number {
  // Asking IPVS itself would load it, only to be told that it has nothing.
  if (!existsSync('/proc/net/ip_vs')) return 0;
  const ipvs = new Ipvs({ netns: director });
  try {
    const { length } = ipvs.services();
    if (length > 0) ipvs.flush();
    return length;
  } finally {
    ipvs.close();
  }
}
