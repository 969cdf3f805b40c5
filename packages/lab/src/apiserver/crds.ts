/**
 * CustomResourceDefinitions: a stored definition is a served resource, at once. Each served version gets a ResourceType
 * whose strategy works by the version's schema. Conversion between versions is `None`: only apiVersion changes.
 */

import { decodeMetadata } from './builtin-types/decode.js';
import { RuleSet } from './cel/rules.js';
import { customColumns } from './custom-columns.js';
import { type FieldError, field } from './errors.js';
import type { Registry, ResourceType } from './resources.js';
import { applyDefaults, prune, type Schema, validateSchema } from './schema.js';
import type { Store } from './store.js';
import { plainStrategy, type Strategy } from './strategy.js';
import { isObject, type JsonObject, type KubeObject, timestamp, type WallClock } from './types.js';

interface CrdVersion {
  name: string;
  served: boolean;
  storage: boolean;
  schema?: { openAPIV3Schema?: Schema };
  subresources?: { status?: object; scale?: object };
  additionalPrinterColumns?: JsonObject[];
  selectableFields?: { jsonPath: string }[];
}

const STRUCTURAL_ROOT = ['apiVersion', 'kind', 'metadata'];
/** With errors of these kinds an object is not of its type, which CEL rules take for granted. */
const BLOCKING = [
  'FieldValueNotSupported',
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
];
const NOT_CHECKED = field.invalid(
  '<nil>',
  null,
  'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
);

/** The strategy of the resource `customresourcedefinitions` itself. */
export function crdStrategy(store: Store, registry: Registry, now: WallClock): Strategy {
  const served = new Map<string, ResourceType[]>();

  const withdraw = (name: string): void => {
    for (const type of served.get(name) ?? []) registry.remove(type);
    served.delete(name);
  };

  return {
    ...plainStrategy,
    generation: 'spec',
    unconditionalUpdate: false,

    prepare(next, previous, subresource) {
      next.spec ??= {};
      const { spec } = next;
      if (isObject(spec.names)) {
        spec.names.singular ||= String(spec.names.kind ?? '').toLowerCase();
        spec.names.listKind ||= `${spec.names.kind}List`;
      }
      spec.conversion ??= { strategy: 'None' };
      if (subresource === '') next.status = establish(next, previous, now());
    },

    validate(next) {
      return validateDefinition(next);
    },

    committed(next, previous) {
      const name = (next ?? previous)!.metadata.name;
      const before = served.get(name) ?? [];
      withdraw(name);
      if (next) {
        const types = typesOf(next);
        for (const type of types) registry.add(type);
        served.set(name, types);
        // Streams of a version that is served differently now start anew, as in the real server.
        const schemaChanged = JSON.stringify(previous?.spec) !== JSON.stringify(next.spec);
        if (before[0] && schemaChanged) endWatches(store, before[0]);
      } else if (before[0]) {
        const collection = store.collection(before[0].collection);
        for (const entry of collection.entries()) collection.remove(entry.key);
        endWatches(store, before[0]);
      }
    },
  };
}

function endWatches(store: Store, type: ResourceType): void {
  for (const watcher of store.collection(type.collection).watchers.all()) watcher.end(false);
}

/** Conditions and accepted names; a definition that passed validation is always established. */
function establish(next: KubeObject, previous: KubeObject | undefined, nowMs: number): JsonObject {
  const names = next.spec.names;
  const at = timestamp(nowMs);
  const stored = (next.spec.versions ?? []).find((version: CrdVersion) => version.storage)?.name;
  const storedVersions: string[] = previous?.status?.storedVersions ?? [];
  return {
    conditions: previous?.status?.conditions ?? [
      {
        type: 'NamesAccepted',
        status: 'True',
        lastTransitionTime: at,
        reason: 'NoConflicts',
        message: 'no conflicts found',
      },
      {
        type: 'Established',
        status: 'True',
        lastTransitionTime: at,
        reason: 'InitialNamesAccepted',
        message: 'the initial names have been accepted',
      },
    ],
    acceptedNames: names,
    storedVersions:
      stored === undefined || storedVersions.includes(stored) ? storedVersions : [...storedVersions, stored],
  };
}

function validateDefinition(crd: KubeObject): FieldError[] {
  const errors: FieldError[] = [];
  const { spec, metadata } = crd;
  for (const name of ['group', 'scope']) if (!spec[name]) errors.push(field.required(`spec.${name}`));
  if (spec.scope && !['Cluster', 'Namespaced'].includes(spec.scope)) {
    errors.push(field.notSupported('spec.scope', spec.scope, ['Cluster', 'Namespaced']));
  }
  if (!isObject(spec.names)) return [...errors, field.required('spec.names')];
  for (const name of ['plural', 'kind']) if (!spec.names[name]) errors.push(field.required(`spec.names.${name}`));
  const expected = `${spec.names.plural}.${spec.group}`;
  if (spec.names.plural && spec.group && metadata.name !== expected) {
    errors.push(field.invalid('metadata.name', metadata.name, `must be spec.names.plural+"."+spec.group`));
  }
  const versions: CrdVersion[] = Array.isArray(spec.versions) ? spec.versions : [];
  if (versions.filter((version) => version.storage).length !== 1) {
    errors.push(field.invalid('spec.versions', versions, 'must have exactly one version marked as storage version'));
  }
  if (spec.conversion?.strategy !== 'None') {
    errors.push(field.notSupported('spec.conversion.strategy', spec.conversion?.strategy, ['None']));
  }
  versions.forEach((version, i) => {
    const path = `spec.versions[${i}]`;
    if (!version.name) errors.push(field.required(`${path}.name`));
    const schema = version.schema?.openAPIV3Schema;
    if (!schema) errors.push(field.required(`${path}.schema.openAPIV3Schema`, 'schemas are required'));
    else {
      if (schema.type !== 'object') {
        errors.push(
          field.invalid(`${path}.schema.openAPIV3Schema.type`, schema.type ?? '', 'must be object at the root'),
        );
      }
      const before = errors.length;
      checkStructural(schema, `${path}.schema.openAPIV3Schema`, errors);
      if (errors.length === before) errors.push(...new RuleSet(schema, `${path}.schema.openAPIV3Schema`).errors);
    }
  });
  return errors;
}

/** Structural schemas have a type everywhere, patterns that compile, and defaults that satisfy them. */
function checkStructural(schema: Schema, path: string, errors: FieldError[]): void {
  const typeless = schema['x-kubernetes-int-or-string'] || schema['x-kubernetes-preserve-unknown-fields'];
  if (!schema.type && !typeless)
    errors.push(field.required(`${path}.type`, 'must not be empty for specified object fields'));
  if (schema.pattern !== undefined) {
    try {
      new RegExp(schema.pattern, 'u');
    } catch (error) {
      errors.push(
        field.invalid(
          `${path}.pattern`,
          schema.pattern,
          `must be a valid regular expression, but isn't: ${(error as Error).message}`,
        ),
      );
    }
  }
  if (schema.default !== undefined) errors.push(...validateSchema(schema.default, schema, `${path}.default`));
  if (schema.type === 'array' && !schema.items) errors.push(field.required(`${path}.items`, 'must be specified'));
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    checkStructural(property, `${path}.properties[${name}]`, errors);
  }
  if (schema.items) checkStructural(schema.items, `${path}.items`, errors);
  if (isObject(schema.additionalProperties)) {
    checkStructural(schema.additionalProperties as Schema, `${path}.additionalProperties`, errors);
  }
}

function typesOf(crd: KubeObject): ResourceType[] {
  const { group, names, scope } = crd.spec;
  const versions: CrdVersion[] = crd.spec.versions;
  const stored = versions.find((version) => version.storage)!;
  return versions
    .filter((version) => version.served)
    .map((version) => ({
      group,
      version: version.name,
      plural: names.plural,
      singular: names.singular,
      kind: names.kind,
      listKind: names.listKind,
      shortNames: names.shortNames ?? [],
      categories: names.categories ?? [],
      namespaced: scope === 'Namespaced',
      status: version.subresources?.status !== undefined,
      collection: `${group}/${names.plural}`,
      selectableFields: (version.selectableFields ?? []).map(({ jsonPath }) => jsonPath.replace(/^\./, '')),
      columns: customColumns(version.additionalPrinterColumns),
      strategy: customStrategy(version),
      custom: true,
      schema: version.schema?.openAPIV3Schema ?? { type: 'object' },
      ...(version === stored ? {} : { conversion: conversionNone(group, version.name, stored.name) }),
    }));
}

function conversionNone(group: string, version: string, stored: string): NonNullable<ResourceType['conversion']> {
  return {
    fromStorage: (object) => ({ ...object, apiVersion: `${group}/${version}` }),
    toStorage: (object) => ({ ...object, apiVersion: `${group}/${stored}` }),
  };
}

function customStrategy(version: CrdVersion): Strategy {
  const schema = version.schema?.openAPIV3Schema ?? { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  // apiVersion, kind and metadata are the server's, whatever a schema says of them.
  const properties = Object.fromEntries(
    Object.entries(schema.properties ?? {}).filter(([name]) => !STRUCTURAL_ROOT.includes(name)),
  );
  const root: Schema = {
    ...schema,
    properties,
    required: (schema.required ?? []).filter((name) => !STRUCTURAL_ROOT.includes(name)),
  };
  const content = (object: KubeObject): JsonObject => {
    const { apiVersion: _apiVersion, kind: _kind, metadata: _metadata, ...rest } = object;
    return rest;
  };
  const rules = new RuleSet(schema, '');
  return {
    ...plainStrategy,
    generation: 'spec',
    unconditionalUpdate: false,
    decode(object, unknown) {
      const rest = structuredClone(content(object));
      prune(rest, root, '', unknown);
      applyDefaults(rest, root);
      const { apiVersion, kind } = object;
      return { apiVersion, kind, metadata: decodeMetadata(object, unknown), ...rest };
    },
    validate(next, previous, subresource) {
      const all = validateSchema(content(next), root, '');
      const errors = subresource === 'status' ? all.filter((error) => error.field.startsWith('status')) : all;
      if (errors.some(({ reason }) => BLOCKING.includes(reason))) return [...errors, NOT_CHECKED];
      return [...errors, ...rules.validate(next, previous)];
    },
  };
}
