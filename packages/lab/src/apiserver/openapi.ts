/**
 * /openapi/v3: one document per group and version, enough for kubectl to validate on the server (`fieldValidation`), to
 * compute patches for `apply`, and to `explain`. Types come from the table of built-in types, which has no descriptions,
 * and from the schemas of CustomResourceDefinitions, which have theirs.
 */
import { createHash } from 'node:crypto';
import { fieldsOf, type Scalar, type TypeRef } from './builtin-types/model.js';
import { mergeKeyOf } from './patches/merge-keys.js';
import { APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH } from './patches/patch.js';
import type { Registry, ResourceType } from './resources.js';
import type { JsonObject } from './types.js';

const SCALARS: Record<Scalar, JsonObject> = {
  string: { type: 'string', default: '' },
  boolean: { type: 'boolean' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  double: { type: 'number', format: 'double' },
  time: { type: 'string', format: 'date-time' },
  microTime: { type: 'string', format: 'date-time' },
  quantity: { type: 'string', format: 'quantity' },
  intOrString: { format: 'int-or-string', oneOf: [{ type: 'integer' }, { type: 'string' }] },
  any: { 'x-kubernetes-preserve-unknown-fields': true },
};

const componentName = (typeName: string): string => `io.k8s.api.${typeName}`;
const refTo = (name: string): string => `#/components/schemas/${name}`;

/** Documents, made when they are asked for and kept until the registry changes. */
export class OpenApi {
  #generation = -1;
  readonly #documents = new Map<string, Buffer>();

  constructor(private readonly registry: Registry) {}

  /** The index: where each document is, with a hash of its content, by which clients cache it. */
  index(): JsonObject {
    const paths: JsonObject = {};
    for (const key of this.#keys()) {
      const hash = createHash('sha256').update(this.document(key)!).digest('hex').toUpperCase();
      paths[key] = { serverRelativeURL: `/openapi/v3/${key}?hash=${hash}` };
    }
    return { paths };
  }

  /** @param key such as `api/v1` or `apis/fairlead.dev/v1alpha1`. */
  document(key: string): Buffer | undefined {
    if (this.#generation !== this.registry.generation) {
      this.#documents.clear();
      this.#generation = this.registry.generation;
    }
    const cached = this.#documents.get(key);
    if (cached) return cached;
    const [, group = '', version] = /^(?:api|apis\/([^/]+))\/([^/]+)$/.exec(key) ?? [];
    const types = version === undefined ? [] : this.registry.ofGroup(group, version);
    if (types.length === 0) return undefined;
    const document = Buffer.from(JSON.stringify(documentOf(key, types)));
    this.#documents.set(key, document);
    return document;
  }

  #keys(): string[] {
    return [...new Set(this.registry.all().map(keyOf))];
  }
}

const keyOf = (type: ResourceType): string =>
  type.group === '' ? `api/${type.version}` : `apis/${type.group}/${type.version}`;

function documentOf(key: string, types: readonly ResourceType[]): JsonObject {
  const schemas: JsonObject = {};
  const paths: JsonObject = {};
  for (const type of types) {
    addRoot(schemas, type);
    const collection = `/${key}/${type.namespaced ? 'namespaces/{namespace}/' : ''}${type.plural}`;
    paths[collection] = collectionPath(type);
    paths[`${collection}/{name}`] = objectPath(type);
    if (type.status) paths[`${collection}/{name}/status`] = objectPath(type);
  }
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: `v1.35` },
    paths,
    components: { schemas },
  };
}

const rootName = (type: ResourceType): string =>
  type.schemaName === undefined
    ? `${type.group.split('.').reverse().join('.')}.${type.version}.${type.kind}`
    : componentName(type.schemaName);

function addRoot(schemas: JsonObject, type: ResourceType): void {
  const name = rootName(type);
  if (type.schemaName !== undefined) addStruct(schemas, type.schemaName);
  else {
    addStruct(schemas, 'ObjectMeta');
    const { properties = {}, ...rest } = type.schema ?? { type: 'object' };
    schemas[name] = {
      ...rest,
      type: 'object',
      properties: {
        ...properties,
        apiVersion: { type: 'string', description: 'The version of the schema that this object is written in.' },
        kind: { type: 'string', description: 'The kind of this object.' },
        metadata: { allOf: [{ $ref: refTo(componentName('ObjectMeta')) }], description: "Standard object's metadata." },
      },
    };
  }
  schemas[name]['x-kubernetes-group-version-kind'] = [kindOf(type)];
}

const kindOf = ({ group, version, kind }: ResourceType): JsonObject => ({ group, version, kind });

/** Adds a built-in type and those that it is made of. */
function addStruct(schemas: JsonObject, typeName: string): void {
  const name = componentName(typeName);
  if (schemas[name] !== undefined) return;
  const properties: JsonObject = {};
  const required: string[] = [];
  schemas[name] = { type: 'object', properties };
  for (const [fieldName, { type, required: isRequired }] of fieldsOf(typeName)) {
    const key = mergeKeyOf(typeName, fieldName);
    properties[fieldName] = {
      ...schemaOf(schemas, type),
      ...(key === undefined ? {} : { 'x-kubernetes-patch-strategy': 'merge' }),
      ...(key ? { 'x-kubernetes-patch-merge-key': key } : {}),
    };
    if (isRequired) required.push(fieldName);
  }
  if (required.length > 0) schemas[name].required = required;
}

function schemaOf(schemas: JsonObject, type: TypeRef): JsonObject {
  switch (type.kind) {
    case 'scalar':
      return SCALARS[type.name];
    case 'struct':
      addStruct(schemas, type.name);
      return { allOf: [{ $ref: refTo(componentName(type.name)) }] };
    case 'list':
      return { type: 'array', items: schemaOf(schemas, type.of) };
    case 'map':
      return { type: 'object', additionalProperties: schemaOf(schemas, type.of) };
  }
}

const queryParameter = (name: string, description: string): JsonObject => ({
  name,
  in: 'query',
  description,
  schema: { type: 'string', uniqueItems: true },
});

const WRITE_PARAMETERS = [
  queryParameter('dryRun', 'Nothing is stored when this is All.'),
  queryParameter('fieldValidation', 'What happens to unknown fields: Ignore, Warn or Strict.'),
];

function operation(type: ResourceType, action: string, more: JsonObject = {}): JsonObject {
  return {
    operationId: `${action}${type.group.split('.')[0] ?? ''}${type.version}${type.kind}`,
    responses: { 200: { description: 'OK', content: jsonContent(type) } },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': kindOf(type),
    ...more,
  };
}

const jsonContent = (type: ResourceType): JsonObject => ({
  'application/json': { schema: { $ref: refTo(rootName(type)) } },
});

function collectionPath(type: ResourceType): JsonObject {
  return {
    get: operation(type, 'list'),
    post: operation(type, 'post', { parameters: WRITE_PARAMETERS, requestBody: { content: jsonContent(type) } }),
    delete: operation(type, 'deletecollection'),
  };
}

function objectPath(type: ResourceType): JsonObject {
  const formats = [JSON_PATCH, MERGE_PATCH, APPLY_PATCH, ...(type.custom ? [] : [STRATEGIC_MERGE_PATCH])];
  const content = Object.fromEntries(formats.map((format) => [format, { schema: { type: 'object' } }]));
  return {
    get: operation(type, 'get'),
    put: operation(type, 'put', { parameters: WRITE_PARAMETERS, requestBody: { content: jsonContent(type) } }),
    patch: operation(type, 'patch', { parameters: WRITE_PARAMETERS, requestBody: { content } }),
    delete: operation(type, 'delete'),
  };
}
