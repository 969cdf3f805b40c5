/**
 * Structural OpenAPI v3 schemas of CustomResourceDefinitions: fill in defaults, drop unknown fields, check values.
 * Messages are those of k8s.io/apiextensions-apiserver (pkg/apiserver/validation), which ours must look like in `kubectl`.
 * CEL rules (x-kubernetes-validations) are cel/rules.ts's.
 */
import { isIP } from 'node:net';
import type { ValidationRule } from './cel/rules.js';
import { type FieldError, field } from './errors.js';
import type { UnknownFields } from './strategy.js';
import { isObject, type JsonObject } from './types.js';

/** The part of JSONSchemaProps that is understood. */
export interface Schema {
  type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  format?: string;
  description?: string;
  properties?: Record<string, Schema>;
  additionalProperties?: Schema | boolean;
  items?: Schema;
  required?: string[];
  default?: unknown;
  nullable?: boolean;
  enum?: unknown[];
  pattern?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: boolean;
  exclusiveMaximum?: boolean;
  multipleOf?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  uniqueItems?: boolean;
  minProperties?: number;
  maxProperties?: number;
  oneOf?: Schema[];
  anyOf?: Schema[];
  allOf?: Schema[];
  not?: Schema;
  'x-kubernetes-preserve-unknown-fields'?: boolean;
  'x-kubernetes-int-or-string'?: boolean;
  'x-kubernetes-embedded-resource'?: boolean;
  'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map';
  'x-kubernetes-list-map-keys'?: string[];
  'x-kubernetes-map-type'?: 'atomic' | 'granular';
  'x-kubernetes-validations'?: ValidationRule[];
}

const child = (path: string, name: string): string => {
  const quoted = /[./]/.test(name) ? `[${name}]` : name;
  return path === '' || quoted.startsWith('[') ? `${path}${quoted}` : `${path}.${quoted}`;
};

const additional = (schema: Schema): Schema | undefined =>
  isObject(schema.additionalProperties) ? (schema.additionalProperties as Schema) : undefined;

/** Fills in defaults of absent fields, and of null ones that may not be null; changes `value` in place. */
export function applyDefaults(value: unknown, schema: Schema): void {
  if (Array.isArray(value) && schema.items) {
    for (const item of value) applyDefaults(item, schema.items);
    return;
  }
  if (!isObject(value)) return;
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (value[name] === null && !property.nullable) delete value[name];
    if (value[name] === undefined && property.default !== undefined) value[name] = structuredClone(property.default);
    if (value[name] !== undefined) applyDefaults(value[name], property);
  }
  const rest = additional(schema);
  if (rest) for (const item of Object.values(value)) applyDefaults(item, rest);
}

/** Drops what the schema does not know and reports each dropped field; changes `value` in place. */
export function prune(value: unknown, schema: Schema, path: string, unknown: UnknownFields): void {
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items) for (const [i, item] of value.entries()) prune(item, items, `${path}[${i}]`, unknown);
    return;
  }
  if (!isObject(value)) return;
  const rest = additional(schema);
  for (const [name, item] of Object.entries(value)) {
    const known = schema.properties?.[name] ?? rest;
    const at = child(path, name);
    if (known) prune(item, known, at, unknown);
    else if (
      schema['x-kubernetes-embedded-resource'] &&
      (name === 'apiVersion' || name === 'kind' || name === 'metadata')
    ) {
    } else if (!schema['x-kubernetes-preserve-unknown-fields'] && schema.additionalProperties !== true) {
      unknown.add(at);
      delete value[name];
    }
  }
}

const typeOf = (value: unknown): string =>
  value === null ? 'null' : Array.isArray(value) ? 'array' : Number.isInteger(value) ? 'integer' : typeof value;

function hasType(value: unknown, type: NonNullable<Schema['type']>): boolean {
  const actual = typeOf(value);
  return actual === type || (type === 'number' && actual === 'integer');
}

/** Formats that the real server checks; others are informative. */
const FORMATS: Record<string, (text: string) => boolean> = {
  ipv4: (text) => isIP(text) === 4,
  ipv6: (text) => isIP(text) === 6,
  cidr: (text) => {
    const [address, length] = text.split('/');
    return isIP(address ?? '') !== 0 && /^\d+$/.test(length ?? '');
  },
  'date-time': (text) =>
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(text) && !Number.isNaN(Date.parse(text)),
  date: (text) => /^\d{4}-\d\d-\d\d$/.test(text),
  uuid: (text) => /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i.test(text),
  uri: (text) => URL.canParse(text),
};

/** Every way in which `value` breaks the schema. */
export function validateSchema(value: unknown, schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  check(value, schema, path, errors);
  return errors;
}

function check(value: unknown, schema: Schema, path: string, errors: FieldError[]): void {
  if (value === null && schema.nullable) return;
  const here = path === '' ? '<nil>' : path;
  if (schema['x-kubernetes-int-or-string']) {
    if (typeof value !== 'string' && !Number.isInteger(value)) {
      errors.push(
        field.typeInvalid(here, value, `${here} in body must be of type integer or string: "${typeOf(value)}"`),
      );
      return;
    }
  } else if (schema.type && !hasType(value, schema.type)) {
    errors.push(
      field.typeInvalid(here, typeOf(value), `${here} in body must be of type ${schema.type}: "${typeOf(value)}"`),
    );
    return;
  }
  if (schema.enum && !schema.enum.some((allowed) => JSON.stringify(allowed) === JSON.stringify(value))) {
    errors.push(field.notSupported(here, value, schema.enum.map(String)));
  }
  if (typeof value === 'string') checkText(value, schema, here, errors);
  else if (typeof value === 'number') checkNumber(value, schema, here, errors);
  else if (Array.isArray(value)) checkList(value, schema, path, here, errors);
  else if (isObject(value)) checkObject(value, schema, path, here, errors);
  checkCombinations(value, schema, path, here, errors);
}

function checkText(value: string, schema: Schema, here: string, errors: FieldError[]): void {
  const length = [...value].length;
  const fail = (why: string): void => void errors.push(field.invalid(here, value, `${here} in body ${why}`));
  if (schema.maxLength !== undefined && length > schema.maxLength) {
    errors.push(field.tooLong(here, schema.maxLength));
  }
  if (schema.minLength !== undefined && length < schema.minLength) {
    fail(`should be at least ${schema.minLength} chars long`);
  }
  if (schema.pattern !== undefined && !new RegExp(schema.pattern, 'u').test(value)) {
    fail(`should match '${schema.pattern}'`);
  }
  if (schema.format && FORMATS[schema.format] && !FORMATS[schema.format]!(value)) {
    fail(`must be of type ${schema.format}: ${JSON.stringify(value)}`);
  }
}

function checkNumber(value: number, schema: Schema, here: string, errors: FieldError[]): void {
  const { minimum, maximum, multipleOf } = schema;
  const fail = (why: string): void => void errors.push(field.invalid(here, value, `${here} in body ${why}`));
  if (minimum !== undefined && (schema.exclusiveMinimum ? value <= minimum : value < minimum)) {
    fail(
      schema.exclusiveMinimum ? `should be greater than ${minimum}` : `should be greater than or equal to ${minimum}`,
    );
  }
  if (maximum !== undefined && (schema.exclusiveMaximum ? value >= maximum : value > maximum)) {
    fail(schema.exclusiveMaximum ? `should be less than ${maximum}` : `should be less than or equal to ${maximum}`);
  }
  if (multipleOf !== undefined && value % multipleOf !== 0) fail(`should be a multiple of ${multipleOf}`);
  if (schema.format === 'int32' && (value > 2 ** 31 - 1 || value < -(2 ** 31)))
    fail(`must be of type int32: "${value}"`);
}

function checkList(value: unknown[], schema: Schema, path: string, here: string, errors: FieldError[]): void {
  const { minItems, maxItems, items } = schema;
  const fail = (why: string): void => void errors.push(field.invalid(here, value.length, `${here} in body ${why}`));
  if (minItems !== undefined && value.length < minItems) fail(`should have at least ${minItems} items`);
  if (maxItems !== undefined && value.length > maxItems) {
    errors.push({
      reason: 'FieldValueTooMany',
      field: here,
      message: `Too many: ${value.length}: must have at most ${maxItems} items`,
    });
  }
  const listType = schema['x-kubernetes-list-type'];
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const seen = new Set<string>();
  value.forEach((item, i) => {
    if (items) check(item, items, `${path}[${i}]`, errors);
    if (listType !== 'set' && listType !== 'map' && !schema.uniqueItems) return;
    const shown = listType === 'map' && isObject(item) ? Object.fromEntries(keys.map((key) => [key, item[key]])) : item;
    const identity = JSON.stringify(shown);
    if (seen.has(identity)) errors.push(field.duplicate(`${path}[${i}]`, shown));
    seen.add(identity);
  });
}

function checkObject(value: JsonObject, schema: Schema, path: string, here: string, errors: FieldError[]): void {
  for (const name of schema.required ?? []) {
    if (value[name] === undefined) errors.push(field.required(child(path, name)));
  }
  const count = Object.keys(value).length;
  if (schema.minProperties !== undefined && count < schema.minProperties) {
    errors.push(field.invalid(here, count, `${here} in body should have at least ${schema.minProperties} properties`));
  }
  if (schema.maxProperties !== undefined && count > schema.maxProperties) {
    errors.push(field.invalid(here, count, `${here} in body should have at most ${schema.maxProperties} properties`));
  }
  const rest = additional(schema);
  for (const [name, item] of Object.entries(value)) {
    const known = schema.properties?.[name] ?? rest;
    if (known && item !== undefined) check(item, known, child(path, name), errors);
  }
}

function checkCombinations(value: unknown, schema: Schema, path: string, here: string, errors: FieldError[]): void {
  const holds = (one: Schema): boolean => validateSchema(value, one, path).length === 0;
  for (const one of schema.allOf ?? []) check(value, one, path, errors);
  if (schema.anyOf && !schema.anyOf.some(holds)) {
    errors.push(field.invalid(here, value, `${here} in body must validate at least one schema (anyOf)`));
  }
  if (schema.oneOf && schema.oneOf.filter(holds).length !== 1) {
    errors.push(field.invalid(here, value, `${here} in body must validate one and only one schema (oneOf)`));
  }
  if (schema.not && holds(schema.not)) {
    errors.push(field.invalid(here, value, `${here} in body must not validate the schema (not)`));
  }
}
