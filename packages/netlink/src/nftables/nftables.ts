/**
 * Nftables: elements of the sets and maps of nf_tables, in one network namespace.
 *
 * Tables, chains, rules and the sets themselves are nft's affair: they are few and change with a program's version.
 * Elements are many and change all the time: here they change without starting a process or writing a script.
 *
 * All calls are synchronous. Needs CAP_NET_ADMIN over the network namespace.
 */
import { type Encoder, NLA_F_NESTED } from '../attribute.js';
import { dumpInterrupted, hasCode, MAX_DUMP_ATTEMPTS, MalformedMessageError, NetlinkError } from '../errors.js';
import { MESSAGE_HEADER_LENGTH, NLM_F_CREATE, NLM_F_EXCL } from '../message.js';
import {
  type NetfilterMessage,
  type NetfilterOptions,
  type NetfilterRequest,
  NFNL_SUBSYS_NFTABLES,
  Nfnetlink,
} from '../netfilter/nfnetlink.js';
import { commands, elementListAttributes, families, generationAttributes, setAttributes } from './constants.js';
import { decodeElements, putElement } from './element.js';
import { NftError, type NftFailure, reasonOf } from './errors.js';
import { decodeSet, describeSet, layoutOf, type SetDeclaration, type SetLayout } from './set.js';
import {
  keyName,
  type NftElement,
  type NftElementOptions,
  type NftOperation,
  type NftSet,
  type NftTable,
  type NftValue,
  tableName,
} from './types.js';

/** The largest element takes some 600 bytes, and an attribute holds 64 KiB. */
const ELEMENTS_PER_MESSAGE = 100;

const verbs: Record<NftOperation['kind'], string> = {
  add: 'add element to',
  create: 'create element in',
  delete: 'delete element from',
  flush: 'delete all elements of',
};
const flagsOf: Record<NftOperation['kind'], number> = {
  add: NLM_F_CREATE,
  create: NLM_F_CREATE | NLM_F_EXCL,
  delete: 0,
  flush: 0,
};

/** A message of a transaction, and what it stands for. */
interface Part {
  request: NetfilterRequest;
  kind: NftOperation['kind'];
  operation: number;
  /** Position of its first element. */
  start: number;
  elements: readonly NftElementOptions[];
  /** Where each element begins in the message, in bytes from the netlink header on. */
  offsets: number[];
}

export class Nftables {
  readonly #netlink: Nfnetlink;

  constructor(options: NetfilterOptions = {}) {
    this.#netlink = new Nfnetlink(NFNL_SUBSYS_NFTABLES, options);
  }

  /** A number that every change to any ruleset of this network namespace changes, whoever makes it. */
  generation(): number {
    const [answer] = this.#netlink.request({
      command: commands.getGeneration,
      family: 0,
      operation: 'ask for the generation of the ruleset',
    });
    return answer!.attributes.u32be(generationAttributes.id)!;
  }

  /** undefined if there is no such table or set. */
  set(table: NftTable, name: string): NftSet | undefined {
    const declaration = this.#declaration(table, name);
    return declaration && describeSet(table, declaration);
  }

  /** Sets and maps of a table; [] also if there is no such table. */
  sets(table: NftTable): NftSet[] {
    const answers = this.#orNothing(() =>
      this.#netlink.dump({
        command: commands.getSet,
        family: families[table.family],
        attributes: (encoder) => encoder.string(setAttributes.table, table.name),
        operation: `list sets of ${tableName(table)}`,
      }),
    );
    return (answers ?? []).map(({ attributes }) => describeSet(table, decodeSet(attributes)));
  }

  /**
   * All elements, in no particular order. Begins again when the ruleset or the set changes meanwhile. Throws
   * NetlinkError: ENOENT if there is no such table or set, FL_NFT_TYPE for types this package does not know,
   * FL_DUMP_INTERRUPTED if it never stands still.
   */
  elements(table: NftTable, set: string): NftElement[] {
    const layout = this.#layout(table, set);
    const operation = `list elements of ${layout.name}`;
    for (let attempt = 0; attempt < MAX_DUMP_ATTEMPTS; attempt++) {
      const answers = this.#netlink.dump({
        command: commands.getSetElement,
        family: families[table.family],
        attributes: (encoder) => putList(encoder, table, set),
        operation,
      });
      const elements = decodeElements(layout, listsOf(answers));
      if (elements) return elements;
    }
    throw dumpInterrupted(operation);
  }

  /** The element with this key (in a set of ranges: the one that contains it); undefined if there is none. */
  element(table: NftTable, set: string, key: readonly NftValue[]): NftElement | undefined {
    const layout = this.#layout(table, set);
    const answers = this.#orNothing(() =>
      this.#netlink.request({
        command: commands.getSetElement,
        family: families[table.family],
        attributes: (encoder) => putList(encoder, table, set, () => putElement(encoder, layout, { key })),
        operation: `get element of ${layout.name}: ${keyName(key)}`,
      }),
    );
    return answers && decodeElements(layout, listsOf(answers))?.[0];
  }

  /**
   * Does all operations in their order in one transaction: packets see all of it or nothing. Throws NftError, whose
   * `failures` say which elements were refused and why, and then nothing was done; TypeError or RangeError before
   * anything is sent if an element does not fit its set; NetlinkError ENOENT if there is no such set,
   * FL_TRANSACTION_TOO_LARGE if this process may not send so much at once (it is never split), and ENOBUFS or
   * ETIMEDOUT if the outcome is unknown.
   */
  apply(operations: readonly NftOperation[]): void {
    const layouts = new Map<string, SetLayout>();
    const parts = operations.flatMap((operation, index) => {
      const name = `${tableName(operation.table)} ${operation.set}`;
      const layout = layouts.get(name) ?? this.#layout(operation.table, operation.set);
      layouts.set(name, layout);
      return partsOf(operation, index, layout);
    });
    if (parts.length === 0) return;
    const failures = this.#netlink.transaction(parts.map(({ request }) => request));
    const first = failures[0];
    if (!first) return;
    const explained = failures
      .filter(({ index }) => index >= 0)
      .map(({ index, error }) => explain(parts[index]!, error));
    throw new NftError(explained[0]?.error ?? first.error, explained);
  }

  close(): void {
    this.#netlink.close();
  }

  #declaration(table: NftTable, name: string): SetDeclaration | undefined {
    const answers = this.#orNothing(() =>
      this.#netlink.request({
        command: commands.getSet,
        family: families[table.family],
        attributes: (encoder) => encoder.string(setAttributes.table, table.name).string(setAttributes.name, name),
        operation: `get set ${tableName(table)} ${name}`,
      }),
    );
    return answers?.[0] && decodeSet(answers[0].attributes);
  }

  #layout(table: NftTable, name: string): SetLayout {
    const declaration = this.#declaration(table, name);
    if (declaration) return layoutOf(table, declaration);
    throw new NetlinkError({
      operation: `use set ${tableName(table)} ${name}`,
      errno: -2,
      reason: 'there is no such table or set',
    });
  }

  #orNothing<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  }
}

function listsOf(messages: readonly NetfilterMessage[]): Buffer[] {
  return messages
    .filter(({ command }) => command === commands.newSetElement)
    .map(({ attributes }) => {
      const list = attributes.binary(elementListAttributes.elements);
      if (!list) throw new MalformedMessageError('set elements without a list');
      return list;
    });
}

function putList(encoder: Encoder, table: NftTable, set: string, elements?: () => void): void {
  encoder.string(elementListAttributes.table, table.name);
  encoder.string(elementListAttributes.set, set);
  if (elements) encoder.nest(elementListAttributes.elements | NLA_F_NESTED, elements);
}

function partsOf(operation: NftOperation, index: number, layout: SetLayout): Part[] {
  const { kind, table, set } = operation;
  const base = {
    command: kind === 'add' || kind === 'create' ? commands.newSetElement : commands.deleteSetElement,
    family: families[table.family],
    flags: flagsOf[kind],
    operation: `${verbs[kind]} ${layout.name}`,
  };
  if (operation.kind === 'flush') {
    const request = { ...base, attributes: (encoder: Encoder) => putList(encoder, table, set) };
    return [{ request, kind, operation: index, start: 0, elements: [], offsets: [] }];
  }
  const parts: Part[] = [];
  for (let start = 0; start < operation.elements.length; start += ELEMENTS_PER_MESSAGE) {
    const elements = operation.elements.slice(start, start + ELEMENTS_PER_MESSAGE);
    const offsets: number[] = [];
    const attributes = (encoder: Encoder) =>
      putList(encoder, table, set, () => {
        for (const element of elements) {
          offsets.push(MESSAGE_HEADER_LENGTH + encoder.length);
          putElement(encoder, layout, kind === 'delete' ? { key: element.key } : element);
        }
      });
    parts.push({ request: { ...base, attributes }, kind, operation: index, start, elements, offsets });
  }
  return parts;
}

/** Which element of a refused message it was. */
function explain(part: Part, error: NetlinkError): NftFailure {
  const { attributeOffset } = error;
  const at = attributeOffset === undefined ? -1 : part.offsets.findLastIndex((offset) => offset <= attributeOffset);
  const element = part.elements.length === 1 ? 0 : at;
  const which =
    element >= 0
      ? `: ${keyName(part.elements[element]!.key)}`
      : part.elements.length > 0
        ? `: one of ${part.elements.length} from ${keyName(part.elements[0]!.key)}`
        : '';
  const reason = reasonOf(error.code, part.kind);
  return {
    operation: part.operation,
    ...(element >= 0 ? { element: part.start + element } : {}),
    error: new NetlinkError({
      operation: `${error.operation}${which}`,
      errno: error.errno,
      ...(error.extack ? { extack: error.extack } : {}),
      ...(reason ? { reason } : {}),
      cause: error,
    }),
  };
}
