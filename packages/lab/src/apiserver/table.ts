/**
 * `meta.k8s.io/v1 Table`: what `kubectl get` asks for. The server chooses the columns, so that kubectl needs no knowledge
 * of a resource to print it well.
 */
import type { Column, ResourceType } from './resources.js';
import type { JsonObject, KubeObject } from './types.js';

export const nameColumn: Column = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name must be unique within a namespace.',
  cell: (object) => object.metadata.name,
};

export const ageColumn: Column = {
  name: 'Age',
  type: 'string',
  description: 'Time since creation.',
  cell: (object, nowMs) => ageOf(object.metadata.creationTimestamp, nowMs),
};

/** Time since `since` as kubectl prints it; `<unknown>` when there is none. */
export function ageOf(since: string | null | undefined, nowMs: number): string {
  return since ? duration(nowMs - Date.parse(since)) : '<unknown>';
}

/** A duration in milliseconds, short (k8s.io/apimachinery/pkg/util/duration, HumanDuration). */
export function duration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return seconds % 60 === 0 ? `${minutes}m` : `${minutes}m${seconds % 60}s`;
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 8) return minutes % 60 === 0 ? `${hours}h` : `${hours}h${minutes % 60}m`;
  if (hours < 48) return `${hours}h`;
  const days = Math.floor(hours / 24);
  if (hours < 192) return hours % 24 === 0 ? `${days}d` : `${days}d${hours % 24}h`;
  if (days < 365 * 2) return `${days}d`;
  const years = Math.floor(days / 365);
  if (days < 365 * 8) return days % 365 === 0 ? `${years}y` : `${years}y${days % 365}d`;
  return `${years}y`;
}

export interface TableOptions {
  nowMs: number;
  /** `includeObject` of the request: what stands beside the cells. */
  include: 'None' | 'Metadata' | 'Object';
  /** Column definitions are left out from the second event of a watch on. */
  headless?: boolean;
}

/** @param objects as they are stored; their cells do not depend on the version that is asked for. */
export function tableOf(
  type: ResourceType,
  objects: readonly KubeObject[],
  metadata: JsonObject,
  { nowMs, include, headless = false }: TableOptions,
): JsonObject {
  const shown = (object: KubeObject): KubeObject => type.conversion?.fromStorage(object) ?? object;
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata,
    columnDefinitions: headless
      ? null
      : type.columns.map(({ name, type: cellType, format = '', description = '', priority = 0 }) => ({
          name,
          type: cellType,
          format,
          description,
          priority,
        })),
    rows: objects.map((object) => ({
      cells: type.columns.map((column) => column.cell(object, nowMs)),
      ...(include === 'None' ? {} : { object: include === 'Object' ? shown(object) : partialOf(object) }),
    })),
  };
}

/** The object's metadata alone, as metadata-only clients and table rows carry it. */
export function partialOf(object: KubeObject): JsonObject {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata };
}
