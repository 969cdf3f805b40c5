/**
 * Elements of sets and maps (NFTA_SET_ELEM_*).
 *
 * How a key is written depends on the set: as one value; in an interval set as two elements, where a range begins and
 * where it has ended (marked so, and left out at the end of the address space); in a concatenation of ranges as one
 * element with first and last value of every field.
 */
import { Attributes, decodeAttributes, type Encoder, NLA_F_NESTED } from '../attribute.js';
import { MalformedMessageError } from '../errors.js';
import {
  elementAttributes as a,
  counterAttributes,
  dataAttributes,
  elementFlags,
  expressionAttributes,
  LIST_ELEMENT,
  verdictAttributes,
  verdictCodes,
} from './constants.js';
import { decodeFields, decodeRange, decodeRanges, encodeFields, encodeRange, encodeRanges } from './field.js';
import type { SetLayout } from './set.js';
import { keyName, type NftElement, type NftElementOptions, type NftValue, type NftVerdict } from './types.js';

type Verdict = NftVerdict['verdict'];
const verdictNames = new Map(Object.entries(verdictCodes).map(([name, code]) => [code as number, name as Verdict]));

/** Throws TypeError or RangeError for what does not fit the set. */
export function putElement(encoder: Encoder, layout: SetLayout, element: NftElementOptions): void {
  const { key } = element;
  if (layout.keys === 'point') {
    putOne(encoder, layout, element, { key: encodeFields(layout.key, key) });
  } else if (layout.keys === 'box') {
    const { first, last } = encodeRanges(layout.key, key);
    putOne(encoder, layout, element, { key: first, keyEnd: last });
  } else {
    const [field] = layout.key;
    const [value] = key;
    if (!field || value === undefined || key.length !== 1) {
      throw new TypeError(`"${keyName(key)}": a key of ${layout.name} has one field`);
    }
    const { first, last } = encodeRange(field, value);
    putOne(encoder, layout, element, { key: first });
    const end = successor(last);
    if (end) putOne(encoder, layout, { key }, { key: end, flags: elementFlags.intervalEnd });
  }
}

function putOne(
  encoder: Encoder,
  layout: SetLayout,
  { value, timeoutMs }: NftElementOptions,
  { key, keyEnd, flags }: { key: Buffer; keyEnd?: Buffer; flags?: number },
): void {
  encoder.nest(LIST_ELEMENT | NLA_F_NESTED, () => {
    if (flags !== undefined) encoder.u32be(a.flags, flags);
    if (timeoutMs !== undefined) encoder.u64be(a.timeout, BigInt(timeoutMs));
    encoder.nest(a.key | NLA_F_NESTED, () => encoder.binary(dataAttributes.value, key));
    if (keyEnd) encoder.nest(a.keyEnd | NLA_F_NESTED, () => encoder.binary(dataAttributes.value, keyEnd));
    if (value !== undefined) encoder.nest(a.data | NLA_F_NESTED, () => putValue(encoder, layout, value));
  });
}

function putValue(encoder: Encoder, layout: SetLayout, value: readonly NftValue[] | NftVerdict): void {
  if (layout.value === undefined) throw new TypeError(`${layout.name} is a set: its elements have no value`);
  if ('verdict' in value) {
    if (layout.value !== 'verdict') throw new TypeError(`${layout.name} maps to values, not to verdicts`);
    encoder.nest(dataAttributes.verdict | NLA_F_NESTED, () => {
      encoder.u32be(verdictAttributes.code, verdictCodes[value.verdict] >>> 0);
      if (value.chain !== undefined) encoder.string(verdictAttributes.chain, value.chain);
    });
  } else {
    if (layout.value === 'verdict') throw new TypeError(`${layout.name} maps to verdicts, not to values`);
    encoder.binary(dataAttributes.value, encodeFields(layout.value, value));
  }
}

/** The number after these bytes, as one number in network order; undefined after the last. */
function successor(bytes: Buffer): Buffer | undefined {
  const next = Buffer.from(bytes);
  for (let i = next.length - 1; i >= 0; i--) {
    next[i] = (next[i]! + 1) & 0xff;
    if (next[i] !== 0) return next;
  }
  return undefined;
}

function predecessor(bytes: Buffer): Buffer {
  const before = Buffer.from(bytes);
  for (let i = before.length - 1; i >= 0; i--) {
    before[i] = (before[i]! + 0xff) & 0xff;
    if (before[i] !== 0xff) break;
  }
  return before;
}

/** One element of a message, before the two ends of a range are joined. */
interface RawElement {
  key: Buffer;
  keyEnd: Buffer | undefined;
  end: boolean;
  rest: Omit<NftElement, 'key'>;
}

/**
 * The elements of all messages of one dump; undefined if it is not complete. The kernel continues a dump by position,
 * and positions change while a hash table is being resized, which it does not tell (no NLM_F_DUMP_INTR): then
 * elements are missing, and others are there twice. By that it is known: without one twice, none is missing.
 * The element for all other keys ("*") is left out.
 */
export function decodeElements(layout: SetLayout, lists: readonly Buffer[]): NftElement[] | undefined {
  const raw = lists.flatMap(decodeAttributes).flatMap(({ data }) => decodeRaw(layout, new Attributes(data)));
  const names = new Set(
    raw.map(({ key, keyEnd, end }) => `${key.toString('latin1')}/${keyEnd?.toString('latin1')}/${end}`),
  );
  if (names.size < raw.length) return undefined;
  if (layout.keys === 'segment') return joinSegments(layout, raw);
  return raw.map(({ key, keyEnd, rest }) => ({
    key:
      layout.keys === 'point'
        ? decodeFields(layout.key, key)
        : decodeRanges(layout.key, { first: key, last: keyEnd ?? key }),
    ...rest,
  }));
}

function decodeRaw(layout: SetLayout, attributes: Attributes): RawElement[] {
  const flags = attributes.u32be(a.flags) ?? 0;
  if (flags & elementFlags.catchAll) return [];
  const key = attributes.nest(a.key)?.binary(dataAttributes.value);
  if (!key) throw new MalformedMessageError(`an element of ${layout.name} without key`);
  const keyEnd = attributes.nest(a.keyEnd)?.binary(dataAttributes.value);
  const rest: RawElement['rest'] = {};
  const value = decodeValue(layout, attributes.nest(a.data));
  if (value) rest.value = value;
  const timeout = attributes.u64be(a.timeout);
  if (timeout) rest.timeoutMs = Number(timeout);
  const expiration = attributes.u64be(a.expiration);
  if (expiration !== undefined) rest.expiresMs = Number(expiration);
  const counter = decodeCounter(attributes);
  if (counter) rest.counter = counter;
  return [{ key, keyEnd, end: (flags & elementFlags.intervalEnd) !== 0, rest }];
}

function decodeValue(layout: SetLayout, data: Attributes | undefined): NftElement['value'] {
  if (!data || layout.value === undefined) return undefined;
  if (layout.value !== 'verdict') {
    const value = data.binary(dataAttributes.value);
    return value && decodeFields(layout.value, value);
  }
  const verdict = data.nest(dataAttributes.verdict);
  const name = verdictNames.get((verdict?.u32be(verdictAttributes.code) ?? 0) | 0);
  if (!verdict || !name) throw new MalformedMessageError(`an element of ${layout.name} without a known verdict`);
  const chain = verdict.string(verdictAttributes.chain);
  return chain === undefined ? { verdict: name } : { verdict: name, chain };
}

/** Of the element's expressions: one alone, or a list of them. */
function decodeCounter(attributes: Attributes): NftElement['counter'] {
  const list = attributes.binary(a.expressions);
  const expressions = list ? decodeAttributes(list).map(({ data }) => new Attributes(data)) : [];
  const one = attributes.nest(a.expression);
  const counter = [...(one ? [one] : []), ...expressions].find(
    (expression) => expression.string(expressionAttributes.name) === 'counter',
  );
  const data = counter?.nest(expressionAttributes.data);
  return (
    data && { packets: data.u64be(counterAttributes.packets) ?? 0n, bytes: data.u64be(counterAttributes.bytes) ?? 0n }
  );
}

/** Ranges from where they begin and end. The kernel lists them in no useful order. */
function joinSegments(layout: SetLayout, raw: RawElement[]): NftElement[] {
  const field = layout.key[0]!;
  // Where one range ends another may begin.
  const sorted = raw.toSorted((x, y) => Buffer.compare(x.key, y.key) || Number(y.end) - Number(x.end));
  const elements: NftElement[] = [];
  let begun: RawElement | undefined;
  const finish = (last: Buffer) => {
    if (begun) elements.push({ key: [decodeRange(field, { first: begun.key, last })], ...begun.rest });
    begun = undefined;
  };
  for (const point of sorted) {
    if (point.key.length < field.length) throw new MalformedMessageError(`a key of ${point.key.length} bytes`);
    // nft marks with an end also what comes before the first range.
    if (!begun && point.end) continue;
    finish(predecessor(point.key));
    if (!point.end) begun = point;
  }
  finish(Buffer.alloc(field.length, 0xff));
  return elements;
}
