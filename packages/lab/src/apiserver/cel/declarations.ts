/**
 * What a structural schema is to CEL (k8s.io/apiserver/pkg/cel/common/schemas.go): names under which rules reach the
 * properties, the types that rules are checked against, values as rules see them, and how large all of that can get.
 */
import type { Environment } from '@marcbachmann/cel-js';
import type { Schema } from '../schema.js';
import { isObject, type JsonObject } from '../types.js';

/** A request is not larger than this, which bounds what has no bound of its own. In bytes. */
export const MAX_REQUEST = 3 * 1024 * 1024;

const KEYWORDS =
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  );
const ESCAPES: Record<string, string> = { __: '__underscores__', '.': '__dot__', '-': '__dash__', '/': '__slash__' };
const TEXT: Schema = { type: 'string' };

/** The name of a property in rules; undefined: rules cannot reach it. */
export function escapedName(name: string): string | undefined {
  if (!/^[A-Za-z_][A-Za-z0-9_./-]*$/.test(name)) return undefined;
  return KEYWORDS.includes(name) ? `__${name}__` : name.replace(/__|[./-]/g, (part) => ESCAPES[part]!);
}

/** Rules at the root of an object see these, whatever the schema says of them. */
export function withTypeAndMetadata(schema: Schema): Schema {
  const metadata: Schema = { type: 'object', properties: { name: TEXT, generateName: TEXT } };
  return { ...schema, properties: { ...schema.properties, apiVersion: TEXT, kind: TEXT, metadata } };
}

export const isMap = (schema: Schema): schema is Schema & { additionalProperties: Schema } =>
  schema.type === 'object' && isObject(schema.additionalProperties);

/** The properties that rules reach, by their name in rules. */
export function fieldsOf(schema: Schema): Map<string, Schema> {
  const fields = new Map<string, Schema>();
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const escaped = escapedName(name);
    if (escaped !== undefined) fields.set(escaped, property);
  }
  return fields;
}

/** Declares the schema's type, and those within, in `env`. Returns its name. `name` is used for those that have none. */
export function declare(env: Environment, schema: Schema, name: string): string {
  if (schema['x-kubernetes-int-or-string']) return 'dyn';
  switch (schema.type) {
    case 'array':
      return `list<${declare(env, schema.items ?? {}, `${name}_item`)}>`;
    case 'object': {
      if (isMap(schema)) return `map<string, ${declare(env, schema.additionalProperties, `${name}_value`)}>`;
      const fields = [...fieldsOf(schema)].map(([field, type]) => [field, declare(env, type, `${name}_${field}`)]);
      // With a constructor of its own no value is ever made of it: types are for checking rules only.
      env.registerType(name, { ctor: class {}, fields: Object.fromEntries(fields) });
      return name;
    }
    case 'string':
      return isTime(schema) ? 'google.protobuf.Timestamp' : 'string';
    case 'integer':
      return 'int';
    case 'number':
      return 'double';
    case 'boolean':
      return 'bool';
    default:
      return 'dyn';
  }
}

/** The value as rules see it. */
export function celValue(value: unknown, schema: Schema): unknown {
  if (typeof value === 'number') {
    const isDouble = schema.type === 'number' || !Number.isInteger(value);
    return isDouble ? value : BigInt(value);
  }
  if (typeof value === 'string') return isTime(schema) ? new Date(value) : value;
  if (Array.isArray(value)) return value.map((item) => celValue(item, schema.items ?? {}));
  if (!isObject(value)) return value;
  if (isMap(schema)) return mapped(value, (name, item) => [name, celValue(item, schema.additionalProperties)]);
  return mapped(value, (name, item) => {
    const property = schema.properties?.[name];
    const escaped = escapedName(name);
    return property && escaped !== undefined ? [escaped, celValue(item, property)] : undefined;
  });
}

function mapped(object: JsonObject, entry: (name: string, value: unknown) => [string, unknown] | undefined): object {
  const entries = Object.entries(object).map(([name, value]) => entry(name, value));
  return Object.fromEntries(entries.filter((each) => each !== undefined));
}

const isTime = ({ format }: Schema): boolean => format === 'date-time' || format === 'date';

/** The most characters (in bytes), items or entries that a value can have; 0 for what is compared in one step. */
export function largestSize(schema: Schema): number {
  if (schema['x-kubernetes-int-or-string'])
    return schema.maxLength === undefined ? MAX_REQUEST - 2 : schema.maxLength * 4;
  if (schema.type === 'string') {
    if (isTime(schema)) return schema.format === 'date' ? 12 : 32;
    if (schema.maxLength !== undefined) return schema.maxLength * 4; // a character may take four bytes
    if (schema.enum) return Math.max(...schema.enum.map((value) => String(value).length));
    return MAX_REQUEST - 2;
  }
  if (schema.type === 'array')
    return schema.maxItems ?? Math.floor((MAX_REQUEST - 2) / (leastBytes(schema.items ?? {}) + 1));
  if (isMap(schema)) {
    return schema.maxProperties ?? Math.floor((MAX_REQUEST - 2) / (leastBytes(schema.additionalProperties) + 6));
  }
  return 0;
}

/** The fewest bytes of JSON that a value can have. */
export function leastBytes(schema: Schema): number {
  switch (schema.type) {
    case 'object': {
      let least = 2;
      if (isMap(schema)) return least;
      for (const name of schema.required ?? []) {
        const property = schema.properties?.[name];
        if (property && property.default === undefined) least += name.length + leastBytes(property) + 4;
      }
      return least;
    }
    case 'string':
      return isTime(schema) ? (schema.format === 'date' ? 12 : 21) : 2;
    case 'array':
      return 2;
    case 'boolean':
      return 4;
    default:
      return 1;
  }
}
