/** The director's nftables table in the kernel: its rules by nft (they change with releases), its elements by netlink. */
import type { Conntrack, Nftables, NftOperation, NftTable, NftValue } from '@fairlead/netlink';
import { ForwardingError } from '../errors.js';
import type { Nft } from '../nft.js';
import type { Counter, NftReader } from '../nft-reader.js';
import { type ElementChange, type Elements, kinds, setName } from './elements.js';
import { type CounterName, counterNames, editionsIn, isCurrent, rulesScript, TABLE } from './rules.js';

// Not as nft writes it: a colon would make an IPv6 element of it.
const MAPS_TO = ' -> ';
const table: NftTable = { family: 'inet', name: TABLE };

export interface FirewallCounters {
  /** By the name of the rule's counter (rules.ts). They outlive processes, and begin anew with the director. */
  rules: Record<CounterName, Counter>;
  /** What connection tracking has, may have, and had to refuse in this director. */
  connections: {
    entries: number;
    /** Of the whole machine's making (nf_conntrack_max), counted for each network namespace by itself. */
    maximum: number;
    /** No free port was left towards a real server, or two connections chose the same one at once: the packet was dropped. */
    insertFailed: number;
    /** Packets dropped because the table was full or an entry could not be made. */
    dropped: number;
    /** Entries given up early to make room for new ones. */
    earlyDropped: number;
  };
}

/** The director's network namespace, as far as a firewall goes. */
export interface FirewallKernel {
  nft: Nft;
  reader: Pick<NftReader, 'hasChain' | 'ruleCounts' | 'counters'>;
  nftables: Pick<Nftables, 'elements' | 'apply' | 'generation'>;
  conntrack: Pick<Conntrack, 'stats' | 'count'>;
}

export class Firewall {
  readonly #director: string;
  readonly #kernel: FirewallKernel;

  constructor(director: string, kernel: FirewallKernel) {
    this.#director = director;
    this.#kernel = kernel;
  }

  /**
   * Makes the rules be there, of this edition, and all of them. Elements stay. Tells what it did, undefined for nothing.
   * Throws FL_FOREIGN_TABLE when the director has a table of our name that somebody else made.
   */
  ensureRules(): 'made' | 'brought up to date' | undefined {
    if (isCurrent(this.#kernel.reader)) return undefined;
    const editions = editionsIn(this.#kernel.nft.listTable('inet', TABLE, { elements: false }));
    if (editions) this.#mustBeOurs(editions);
    try {
      this.#kernel.nft.run(rulesScript(editions));
    } catch (error) {
      throw explained(error as Error);
    }
    return editions ? 'brought up to date' : 'made';
  }

  /** A number that changes with rules and elements, whoever changes them. */
  generation(): number {
    return this.#kernel.nftables.generation();
  }

  /** The elements in the kernel. Throws NetlinkError ENOENT when the table is not there. */
  read(): Elements {
    const elements = {} as Elements;
    for (const kind of kinds) {
      const ofKind = (['ipv4', 'ipv6'] as const).flatMap((family) =>
        this.#kernel.nftables.elements(table, setName({ kind, family })),
      );
      elements[kind] = new Set(ofKind.map(elementText));
    }
    return elements;
  }

  /** All of the changes at once, or none of them. */
  write(changes: readonly ElementChange[]): void {
    this.#kernel.nftables.apply(changes.map(toOperation));
  }

  counters(): FirewallCounters {
    const counted = this.#kernel.reader.counters('inet', TABLE);
    const rules = Object.fromEntries(
      counterNames.map((name) => [name, counted.get(name) ?? { packets: 0n, bytes: 0n }]),
    ) as FirewallCounters['rules'];
    return { rules, connections: this.#connections() };
  }

  #connections(): FirewallCounters['connections'] {
    const cpus = this.#kernel.conntrack.stats();
    const sum = (name: 'insertFailed' | 'drop' | 'earlyDrop') => cpus.reduce((total, cpu) => total + cpu[name], 0);
    return {
      ...this.#kernel.conntrack.count(),
      insertFailed: sum('insertFailed'),
      dropped: sum('drop'),
      earlyDropped: sum('earlyDrop'),
    };
  }

  #mustBeOurs(editions: readonly string[]): void {
    if (editions.length > 0) return;
    throw new ForwardingError(
      'FL_FOREIGN_TABLE',
      `the network namespace "${this.#director}" has an nftables table inet ${TABLE} that Fairlead has not made: if nobody ` +
        `needs it, delete it (ip netns exec ${this.#director} nft delete table inet ${TABLE}), or choose another name for the director`,
    );
  }
}

/**
 * Rules that are the same everywhere are refused where the kernel lacks what they are made of: nft then says "No such file or
 * directory" of a rule, or "Operation not supported", and nothing of what it would take.
 */
function explained(error: Error): Error {
  if (!/No such file or directory|not supported/.test(error.message)) return error;
  return new ForwardingError(
    'FL_KERNEL_FEATURE',
    "this kernel cannot hold the director's firewall. It takes Linux 5.6 or later with nf_tables (inet family), its expressions " +
      `ct, nat, counter and objref, and nf_conntrack: modules nf_tables nft_ct nft_chain_nat nft_nat nft_objref. ${error.message}`,
    { cause: error },
  );
}

/** What maps a VIP to anything but itself is no element of ours: it differs, and so it goes. */
function elementText({ key, value }: { key: readonly NftValue[]; value?: unknown }): string {
  const text = key.join(' . ');
  return value === undefined || String(value) === text ? text : `${text}${MAPS_TO}${value}`;
}

function toOperation(change: ElementChange): NftOperation {
  const isMap = change.kind === 'snat';
  return {
    kind: change.verb,
    table,
    set: setName(change),
    elements: change.elements.map((element) => {
      const key = element.split(MAPS_TO)[0]!.split(' . ');
      return isMap && change.verb === 'add' ? { key, value: key } : { key };
    }),
  };
}
