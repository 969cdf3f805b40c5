/** Declarations of sets and maps (NFTA_SET_*), as far as reading and writing their elements needs them. */
import type { Attributes } from '../attribute.js';
import { MalformedMessageError, NetlinkError } from '../errors.js';
import { setAttributes as a, setFlags, VERDICT_DATA_TYPE } from './constants.js';
import { type FieldType, fieldTypes } from './field.js';
import { type NftSet, type NftTable, tableName } from './types.js';

/** What the codec of elements has to know. */
export interface SetLayout {
  /** For errors: `inet fairlead services4`. */
  name: string;
  key: readonly FieldType[];
  /** undefined for a set. */
  value?: readonly FieldType[] | 'verdict';
  /** `point`: no ranges; `segment`: a range is two elements; `box`: one element has first and last of every field. */
  keys: 'point' | 'segment' | 'box';
}

export interface SetDeclaration {
  name: string;
  flags: number;
  keyType: number;
  /** 0 for a set. */
  valueType: number;
}

export function decodeSet(attributes: Attributes): SetDeclaration {
  const name = attributes.string(a.name);
  const keyType = attributes.u32be(a.keyType);
  if (name === undefined || keyType === undefined) throw new MalformedMessageError('a set without name or type');
  return {
    name,
    flags: attributes.u32be(a.flags) ?? 0,
    keyType,
    valueType: attributes.u32be(a.dataType) ?? 0,
  };
}

/** Throws NetlinkError FL_NFT_TYPE for a set whose elements this package cannot read. */
export function layoutOf(table: NftTable, { name, flags, keyType, valueType }: SetDeclaration): SetLayout {
  const full = `${tableName(table)} ${name}`;
  const known = (number: number) => {
    const fields = fieldTypes(number);
    if (fields) return fields;
    throw new NetlinkError({
      operation: `use set ${full}`,
      code: 'FL_NFT_TYPE',
      reason:
        `it has a type (number 0x${number.toString(16)}) other than ipv4_addr, ipv6_addr, ether_addr, inet_proto, ` +
        'inet_service and their concatenations',
    });
  };
  const box = (flags & setFlags.concatenation) !== 0;
  return {
    name: full,
    key: known(keyType),
    keys: box ? 'box' : flags & setFlags.interval ? 'segment' : 'point',
    ...(flags & setFlags.map ? { value: valueType === VERDICT_DATA_TYPE ? 'verdict' : known(valueType) } : {}),
  };
}

export function describeSet(table: NftTable, declaration: SetDeclaration): NftSet {
  const { name, flags, keyType, valueType } = declaration;
  const names = (number: number) => fieldTypes(number)?.map((field) => field.name) ?? [`0x${number.toString(16)}`];
  return {
    table,
    name,
    keyType: names(keyType),
    ...(flags & setFlags.map
      ? { valueType: valueType === VERDICT_DATA_TYPE ? ('verdict' as const) : names(valueType) }
      : {}),
    interval: (flags & setFlags.interval) !== 0,
    timeout: (flags & setFlags.timeout) !== 0,
  };
}
