/** The table of built-in types (types.ts), read into a structure when a type is asked for first. */
import { BUILTIN_TYPES } from './types.js';

export type Scalar =
  | 'string'
  | 'boolean'
  | 'int32'
  | 'int64'
  | 'double'
  | 'time'
  | 'microTime'
  | 'quantity'
  | 'intOrString'
  | 'any';

export type TypeRef =
  | { kind: 'scalar'; name: Scalar }
  | { kind: 'struct'; name: string }
  | { kind: 'list'; of: TypeRef }
  | { kind: 'map'; of: TypeRef };

export interface Field {
  required: boolean;
  type: TypeRef;
}

const structs = new Map<string, ReadonlyMap<string, Field>>();

/** The fields of a type by name. @throws Error when there is no such type: a mistake in the table of resources. */
export function fieldsOf(name: string): ReadonlyMap<string, Field> {
  const known = structs.get(name);
  if (known) return known;
  const text = BUILTIN_TYPES[name];
  if (text === undefined) throw new Error(`builtin-types/types.ts has no type ${name}`);
  const fields = new Map<string, Field>();
  for (const part of text.split(' ')) {
    const match = /^(.+?)(!?):(.+)$/.exec(part);
    if (match) fields.set(match[1]!, { required: match[2] === '!', type: parseType(match[3]!) });
  }
  structs.set(name, fields);
  return fields;
}

function parseType(text: string): TypeRef {
  if (text.startsWith('[]')) return { kind: 'list', of: parseType(text.slice(2)) };
  if (text.startsWith('{}')) return { kind: 'map', of: parseType(text.slice(2)) };
  if (/^[A-Z]/.test(text)) return { kind: 'struct', name: text };
  return { kind: 'scalar', name: text as Scalar };
}
