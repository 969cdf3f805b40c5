/**
 * Strategic merge patch: a merge patch that knows which lists are maps in disguise (k8s.io/apimachinery/pkg/util/strategicpatch).
 *
 *   ports: [{port: 80, name: web}]              merged into the element with the same key
 *   ports: [{port: 80, $patch: delete}]         that element is removed
 *   ports: [{$patch: replace}, ...]             the whole list is replaced
 *   $setElementOrder/ports: [{port: 80}, ...]   the order that the writer wants
 *   $deleteFromPrimitiveList/finalizers: [a]    values removed from a list of scalars
 *   $retainKeys: [type]                         everything else in this object is removed
 */
import { isDeepStrictEqual } from 'node:util';
import { badRequest } from '../errors.js';
import type { ResourceType } from '../resources.js';
import { isObject, type JsonObject } from '../types.js';
import { mergeKeyOf } from './merge-keys.js';

const SET_ORDER = '$setElementOrder/';
const DELETE_VALUES = '$deleteFromPrimitiveList/';

/** A merged copy; neither argument is changed. @throws ApiError 400 for directives that make no sense. */
export function applyStrategicMergePatch(target: unknown, patch: JsonObject, type: ResourceType): unknown {
  return mergeObject(isObject(target) ? target : {}, patch, type.kind);
}

/** @param path names of fields from the kind on, such as `Service.spec`; list elements have the path of their list. */
function mergeObject(target: JsonObject, patch: JsonObject, path: string): JsonObject | undefined {
  switch (patch.$patch) {
    case undefined:
    case 'merge':
      break;
    case 'delete':
      return undefined;
    case 'replace': {
      const { $patch: _directive, ...rest } = patch;
      return structuredClone(rest);
    }
    default:
      throw badRequest(`unknown patch directive ${JSON.stringify(patch.$patch)} at ${path}`);
  }
  const merged: JsonObject = { ...target };
  if (Array.isArray(patch.$retainKeys)) {
    for (const name of Object.keys(merged)) if (!patch.$retainKeys.includes(name)) delete merged[name];
  }
  for (const [name, value] of Object.entries(patch)) {
    if (name === '$patch' || name === '$retainKeys' || name.startsWith(SET_ORDER)) continue;
    if (name.startsWith(DELETE_VALUES)) {
      const listName = name.slice(DELETE_VALUES.length);
      const gone = value as unknown[];
      if (Array.isArray(merged[listName])) {
        merged[listName] = merged[listName].filter(
          (item: unknown) => !gone.some((other) => isDeepStrictEqual(item, other)),
        );
      }
      continue;
    }
    const at = `${path}.${name}`;
    if (value === null) delete merged[name];
    else if (Array.isArray(value)) merged[name] = mergeList(merged[name], value, at, patch[`${SET_ORDER}${name}`]);
    else if (isObject(value)) {
      const result = mergeObject(isObject(merged[name]) ? merged[name] : {}, value, at);
      if (result === undefined) delete merged[name];
      else merged[name] = result;
    } else merged[name] = value;
  }
  for (const [name, order] of Object.entries(patch)) {
    if (!name.startsWith(SET_ORDER)) continue;
    const listName = name.slice(SET_ORDER.length);
    if (patch[listName] === undefined && Array.isArray(merged[listName])) {
      merged[listName] = reorder(merged[listName], order as unknown[], mergeKeyOf(`${path}.${listName}`));
    }
  }
  return merged;
}

function mergeList(current: unknown, patch: readonly unknown[], path: string, order: unknown): unknown[] {
  const key = mergeKeyOf(path);
  if (key === undefined) return structuredClone(patch) as unknown[];
  const existing: unknown[] = Array.isArray(current) ? current : [];
  if (key === '') {
    // A list of scalars that is a set, such as finalizers.
    const merged = [...existing, ...patch.filter((item) => !existing.includes(item))];
    return Array.isArray(order) ? reorder(merged, order, '') : merged;
  }
  if (patch.some((item) => isObject(item) && item.$patch === 'replace')) {
    return structuredClone(patch.filter((item) => !(isObject(item) && item.$patch === 'replace')));
  }
  let merged = [...existing];
  for (const item of patch) {
    if (!isObject(item)) throw badRequest(`${path} is a list of objects; the patch has ${JSON.stringify(item)} in it`);
    const id = item[key];
    if (id === undefined) throw badRequest(`map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`);
    const same = (other: unknown): boolean => isObject(other) && isDeepStrictEqual(other[key], id);
    if (item.$patch === 'delete') {
      merged = merged.filter((other) => !same(other));
      continue;
    }
    const at = merged.findIndex(same);
    if (at < 0) merged.push(mergeObject({}, item, path));
    else merged[at] = mergeObject(merged[at] as JsonObject, item, path);
  }
  return Array.isArray(order) ? reorder(merged, order, key) : merged;
}

/** Puts the elements that `order` names in that order; others keep their place behind the named one they followed. */
function reorder(list: readonly unknown[], order: readonly unknown[], key: string | undefined): unknown[] {
  const idOf = (item: unknown): unknown => (key && isObject(item) ? item[key] : item);
  const rank = (item: unknown): number => order.findIndex((wanted) => isDeepStrictEqual(idOf(wanted), idOf(item)));
  let last = -1;
  return list
    .map((item) => {
      const own = rank(item);
      // An element that the writer does not know stays behind its predecessor.
      if (own >= 0) last = own;
      return { item, rank: own >= 0 ? own : last, unknown: own < 0 };
    })
    .sort((a, b) => a.rank - b.rank || Number(a.unknown) - Number(b.unknown))
    .map(({ item }) => item);
}
