/** What a program says and sees about the sets and maps of nf_tables. */
import type { families, verdictCodes } from './constants.js';

export interface NftTable {
  family: keyof typeof families;
  name: string;
}

/**
 * One field of a key or of a map's value.
 *
 * | type | given | read back |
 * |---|---|---|
 * | ipv4_addr, ipv6_addr | `'10.0.0.1'` | canonical text |
 * | inet_service | `80` or `'80'` | `80` |
 * | inet_proto | `'tcp'` or `6` | `'tcp'`, `'udp'`, `'sctp'`, `'icmp'`, `'icmpv6'`; a number for all others |
 * | ether_addr | `'02:00:00:00:00:01'` | the same |
 * | mark | `7` | `7` |
 *
 * In a set with `flags interval` a field may also be a range: `'10.0.0.0/8'`, `'10.0.0.1-10.0.0.9'`, `'80-90'`. It is
 * read back as one value, as a prefix where it is one (addresses), or as `first-last`.
 */
export type NftValue = string | number;

export interface NftVerdict {
  verdict: keyof typeof verdictCodes;
  /** Of `jump` and `goto`. */
  chain?: string;
}

/** An element as it is given to the kernel. */
export interface NftElementOptions {
  /** One field for each of the set's type; one alone for a set that is no concatenation. */
  key: readonly NftValue[];
  /** What a map maps the key to: fields, or a verdict. */
  value?: readonly NftValue[] | NftVerdict;
  /** For sets with `flags timeout`. */
  timeoutMs?: number;
}

/** An element as the kernel has it. */
export interface NftElement extends NftElementOptions {
  /** Time left of timeoutMs. */
  expiresMs?: number;
  /** In sets with `counter`. */
  counter?: { packets: bigint; bytes: bigint };
}

/** One change for Nftables.apply. */
export type NftOperation =
  | {
      /**
       * `add`: an element that is there already stays as it is (in a map with another value: EEXIST or EBUSY).
       * `create`: EEXIST if it is there. `delete`: ENOENT if it is not.
       */
      kind: 'add' | 'create' | 'delete';
      table: NftTable;
      set: string;
      elements: readonly NftElementOptions[];
    }
  /** Deletes all elements; none is fine too. */
  | { kind: 'flush'; table: NftTable; set: string };

/** How a set or map was declared. */
export interface NftSet {
  table: NftTable;
  name: string;
  /** Names of nft's data types: `['ipv4_addr', 'inet_proto', 'inet_service']`. */
  keyType: readonly string[];
  /** Of a map: its fields, or `'verdict'`. */
  valueType?: readonly string[] | 'verdict';
  interval: boolean;
  timeout: boolean;
}

/** `inet fairlead` */
export function tableName({ family, name }: NftTable): string {
  return `${family} ${name}`;
}

/** `10.0.0.1 . tcp . 80`, as nft writes it: equal for equal keys only, if the fields are canonical. */
export function keyName(key: readonly NftValue[]): string {
  return key.join(' . ');
}
