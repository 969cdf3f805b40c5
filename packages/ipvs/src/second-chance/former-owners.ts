/**
 * Who gets what this node's director does not know (rules.ts): for each virtual router the hardware address of its former owner, or whoever
 * the LAN knows as the owner. One message each, on a socket of its own: made for the thread that elects.
 */
import { hasCode, Nftables, type NftOperation, type NftTable } from '@fairlead/netlink';
import { exitTo, exitToLan, TABLE } from './rules.js';

export interface FormerOwnersOptions {
  /** The host's network namespace; by default that of this process. */
  hostNetns?: string;
}

/** Where to: an interface to the LAN, and a station there; without one, whoever answers for the VIP. */
export interface Exit {
  uplink: string;
  mac?: string;
}

const table: NftTable = { family: 'netdev', name: TABLE };

export class FormerOwners {
  readonly #nftables: Nftables;
  /** What was last written, by index of the virtual router; undefined: to be read first. */
  #known: Map<number, Exit> | undefined;
  /** Generation of the host's rulesets when `keep` looked last. */
  #kept: number | undefined;
  /** What should be: at first, what an earlier process left. */
  readonly #wanted: Map<number, Exit>;

  constructor(options: FormerOwnersOptions = {}) {
    this.#nftables = new Nftables(options.hostNetns === undefined ? {} : { netns: options.hostNetns });
    this.#known = orNothing(() => this.#read());
    this.#wanted = new Map(this.#known);
  }

  /** From now on what is not known here of this virtual router goes there. */
  set(index: number, exit: Exit): void {
    this.#wanted.set(index, exit);
    this.#write();
  }

  /** From now on it is this director's to decide: refused, or dropped. */
  forget(index: number): void {
    if (this.#wanted.delete(index)) this.#write();
  }

  /** The virtual routers for which there is one, also by an earlier process. */
  list(): number[] {
    return [...this.#wanted.keys()].sort((a, b) => a - b);
  }

  /** Puts back what was lost, as when the rules were made anew. To be called now and then. */
  keep(): void {
    if (this.#wanted.size === 0) return;
    const generation = this.#nftables.generation();
    if (this.#known !== undefined && generation === this.#kept) return;
    this.#known = undefined;
    this.#write();
    this.#kept = generation;
  }

  close(): void {
    this.#nftables.close();
  }

  /** Without the rules there is no second chance, and nothing to do; they may come later (`keep`). */
  #write(): void {
    orNothing(() => {
      const operations = changes(this.#known ?? this.#read(), this.#wanted);
      this.#known = undefined; // until the kernel has taken it
      this.#nftables.apply(operations);
      this.#known = new Map(this.#wanted);
    });
  }

  #read(): Map<number, Exit> {
    const macs = new Map(this.#nftables.elements(table, 'former').map(({ key, value }) => [Number(key[0]), value]));
    return new Map(
      this.#nftables.elements(table, 'exits').map(({ key, value }) => {
        const index = Number(key[0]);
        const mac = macs.get(index);
        const chain = value && 'verdict' in value ? (value.chain ?? '') : '';
        const uplink = chain.slice(chain.indexOf('-') + 1);
        return [index, mac === undefined ? { uplink } : { uplink, mac: String((mac as string[])[0]) }];
      }),
    );
  }
}

function orNothing<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function changes(before: ReadonlyMap<number, Exit>, after: ReadonlyMap<number, Exit>): NftOperation[] {
  const gone = [...before].filter(([index, exit]) => !same(after.get(index), exit));
  const come = [...after].filter(([index, exit]) => !same(before.get(index), exit));
  const hasMac = ([, { mac }]: [number, Exit]) => mac !== undefined;
  const operation = (kind: 'add' | 'delete', set: string, elements: object[]) =>
    elements.length === 0 ? [] : [{ kind, table, set, elements } as NftOperation];
  const keys = (entries: [number, Exit][]) => entries.map(([index]) => ({ key: [index] }));
  return [
    ...operation('delete', 'exits', keys(gone)),
    ...operation('delete', 'guests', keys(gone)),
    ...operation('delete', 'former', keys(gone.filter(hasMac))),
    ...operation(
      'add',
      'former',
      come.filter(hasMac).map(([index, { mac }]) => ({ key: [index], value: [mac] })),
    ),
    ...operation('add', 'guests', keys(come)),
    ...operation(
      'add',
      'exits',
      come.map(([index, { uplink, mac }]) => ({
        key: [index],
        value: { verdict: 'goto', chain: mac === undefined ? exitToLan(uplink) : exitTo(uplink) },
      })),
    ),
  ];
}

function same(a: Exit | undefined, b: Exit): boolean {
  return a?.uplink === b.uplink && a.mac === b.mac;
}
