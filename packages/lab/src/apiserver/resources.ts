/**
 * What is served: one `ResourceType` per resource and version, and the registry that finds them. Built-in types are in
 * builtins.ts; CustomResourceDefinitions add theirs while the server runs (crds.ts).
 */
import type { ResourceName } from './errors.js';
import type { Schema } from './schema.js';
import type { Strategy } from './strategy.js';
import type { KubeObject } from './types.js';

/** A column of `kubectl get`; `priority` 0 is shown always, 1 with `-o wide`. */
export interface Column {
  name: string;
  type: 'string' | 'integer' | 'boolean' | 'date' | 'number';
  description?: string;
  format?: string;
  priority?: number;
  /** The cell, and the wall clock for ages. */
  cell(object: KubeObject, nowMs: number): string | number | boolean | null;
}

export interface ResourceType extends ResourceName {
  version: string;
  singular: string;
  listKind: string;
  shortNames: readonly string[];
  categories: readonly string[];
  namespaced: boolean;
  /** Has a `/status` subresource of its own. */
  status: boolean;
  /** Name of the collection in the store; versions of one resource share it. */
  collection: string;
  /** Fields a field selector may name, besides metadata.name and metadata.namespace. */
  selectableFields: readonly string[];
  columns: readonly Column[];
  strategy: Strategy;
  /** Set for custom resources: they have no strategic merge patch, and their metadata is not writable at /status. */
  custom: boolean;
  /** Where this version is not the one that is stored: how it is read and written. */
  conversion?: { fromStorage(object: KubeObject): KubeObject; toStorage(object: KubeObject): KubeObject };
  /** A built-in type's name in builtin-types/types.ts. */
  schemaName?: string;
  /** A custom resource's schema. */
  schema?: Schema;
}

export const apiVersionOf = (type: { group: string; version: string }): string =>
  type.group === '' ? type.version : `${type.group}/${type.version}`;

/** All resources that are served now. */
export class Registry {
  readonly #types = new Map<string, ResourceType>();
  /** Counts changes, so that documents made from the registry (discovery, OpenAPI) are made again only then. */
  #generation = 0;

  get generation(): number {
    return this.#generation;
  }

  add(type: ResourceType): void {
    this.#types.set(`${type.group}/${type.version}/${type.plural}`, type);
    this.#generation++;
  }

  remove(type: ResourceType): void {
    this.#types.delete(`${type.group}/${type.version}/${type.plural}`);
    this.#generation++;
  }

  find(group: string, version: string, plural: string): ResourceType | undefined {
    return this.#types.get(`${group}/${version}/${plural}`);
  }

  /** The type of an object, by its apiVersion and kind. */
  ofKind(apiVersion: string, kind: string): ResourceType | undefined {
    return this.all().find((type) => type.kind === kind && apiVersionOf(type) === apiVersion);
  }

  all(): ResourceType[] {
    return [...this.#types.values()];
  }

  ofGroup(group: string, version: string): ResourceType[] {
    return this.all().filter((type) => type.group === group && type.version === version);
  }

  /** Named groups with their versions, in order of registration; the core group is not among them. */
  groups(): Map<string, string[]> {
    const groups = new Map<string, string[]>();
    for (const { group, version } of this.#types.values()) {
      if (group === '') continue;
      const versions = groups.get(group) ?? [];
      if (!versions.includes(version)) versions.push(version);
      groups.set(group, versions);
    }
    return groups;
  }
}
