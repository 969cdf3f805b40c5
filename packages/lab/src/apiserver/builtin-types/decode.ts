/**
 * Reads JSON as a built-in type, as the real server's Go structs do: unknown fields are reported and dropped, null is
 * absent, and a value of the wrong type fails the request. Gives a copy that shares nothing with what it read.
 */
import { badRequest } from '../errors.js';
import type { UnknownFields } from '../strategy.js';
import { isObject, type JsonObject, type KubeObject, timestamp } from '../types.js';
import { fieldsOf, type Scalar, type TypeRef } from './model.js';

interface Context {
  /** Begins the message of an error: `Service in version "v1" cannot be handled as a Service`. */
  subject: string;
  unknown: UnknownFields;
}

/** @param typeName in the table of built-in types. @throws ApiError 400 */
export function decodeBuiltin(object: KubeObject, typeName: string, unknown: UnknownFields): KubeObject {
  const version = object.apiVersion.split('/').at(-1);
  const subject = `${object.kind} in version "${version}" cannot be handled as a ${object.kind}`;
  return struct(object, typeName, '', { subject, unknown }) as KubeObject;
}

/** Metadata alone, for custom resources. */
export function decodeMetadata(object: KubeObject, unknown: UnknownFields): KubeObject['metadata'] {
  const context = { subject: 'metadata', unknown };
  return struct(object.metadata as unknown as JsonObject, 'ObjectMeta', 'metadata', context) as KubeObject['metadata'];
}

function struct(value: JsonObject, typeName: string, path: string, context: Context): JsonObject {
  const fields = fieldsOf(typeName);
  const result: JsonObject = {};
  for (const [name, item] of Object.entries(value)) {
    const at = path === '' ? name : `${path}.${name}`;
    const field = fields.get(name);
    if (!field) context.unknown.add(at);
    else if (item !== null && item !== undefined) result[name] = read(item, field.type, at, typeName, context);
  }
  return result;
}

function read(value: unknown, type: TypeRef, path: string, owner: string, context: Context): unknown {
  switch (type.kind) {
    case 'struct':
      if (!isObject(value)) throw wrongType(value, type.name, path, owner, context);
      return struct(value, type.name, path, context);
    case 'list':
      if (!Array.isArray(value)) throw wrongType(value, `[]${nameOf(type.of)}`, path, owner, context);
      return value.map((item, i) => read(item, type.of, `${path}[${i}]`, owner, context));
    case 'map':
      if (!isObject(value)) throw wrongType(value, `map[string]${nameOf(type.of)}`, path, owner, context);
      return Object.fromEntries(
        Object.entries(value).map(([key, item]) => [key, read(item, type.of, `${path}.${key}`, owner, context)]),
      );
    case 'scalar':
      return scalar(value, type.name, path, owner, context);
  }
}

function scalar(value: unknown, type: Scalar, path: string, owner: string, context: Context): unknown {
  const fail = (): never => {
    throw wrongType(value, type === 'quantity' ? 'resource.Quantity' : type, path, owner, context);
  };
  switch (type) {
    case 'any':
      return structuredClone(value);
    case 'string':
      return typeof value === 'string' ? value : fail();
    case 'boolean':
      return typeof value === 'boolean' ? value : fail();
    case 'int32':
    case 'int64':
      if (!Number.isInteger(value)) return fail();
      return type === 'int32' && Math.abs(value as number) > 2 ** 31 ? fail() : value;
    case 'double':
      return typeof value === 'number' ? value : fail();
    case 'intOrString':
      return typeof value === 'string' || Number.isInteger(value) ? value : fail();
    case 'quantity':
      return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : fail();
    case 'time':
      return time(value, context, fail);
    case 'microTime':
      return microTime(value, context, fail);
  }
}

/** metav1.Time: any RFC 3339 text is read, seconds are kept. */
function time(value: unknown, context: Context, fail: () => never): string {
  if (typeof value !== 'string') return fail();
  const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(value) ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(ms)) throw badTime(value, '2006-01-02T15:04:05Z07:00', context);
  return timestamp(ms);
}

/** metav1.MicroTime: exactly six digits of a second; what JavaScript's toISOString() gives is refused, here as there. */
function microTime(value: unknown, context: Context, fail: () => never): string {
  if (typeof value !== 'string') return fail();
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{6})(Z|[+-]\d\d:\d\d)$/.exec(value);
  const ms = match ? Date.parse(`${match[1]}${match[3]}`) : Number.NaN;
  if (!match || Number.isNaN(ms)) throw badTime(value, '2006-01-02T15:04:05.000000Z07:00', context);
  return `${timestamp(ms).slice(0, 19)}.${match[2]}Z`;
}

const badTime = (value: string, layout: string, context: Context): Error =>
  badRequest(`${context.subject}: parsing time ${JSON.stringify(value)} as ${JSON.stringify(layout)}: cannot parse it`);

const nameOf = (type: TypeRef): string => {
  if (type.kind === 'list') return `[]${nameOf(type.of)}`;
  if (type.kind === 'map') return `map[string]${nameOf(type.of)}`;
  return type.name;
};

function wrongType(value: unknown, wanted: string, path: string, owner: string, context: Context): Error {
  const actual = Array.isArray(value)
    ? 'array'
    : isObject(value)
      ? 'object'
      : value === true || value === false
        ? 'bool'
        : typeof value;
  const shown = actual === 'number' ? `number ${value}` : actual;
  const place = path.replace(/\[\d+\]/g, '');
  return badRequest(
    `${context.subject}: json: cannot unmarshal ${shown} into Go struct field ${owner}.${place} of type ${wanted}`,
  );
}
