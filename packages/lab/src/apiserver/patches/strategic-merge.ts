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
import { fieldsOf, type TypeRef } from '../builtin-types/model.js';
import { badRequest } from '../errors.js';
import { isObject, type JsonObject } from '../types.js';
import { mergeKeyOf } from './merge-keys.js';

const SET_ORDER = '$setElementOrder/';
const DELETE_VALUES = '$deleteFromPrimitiveList/';

/**
 * A merged copy; neither argument is changed.
 * @param typeName of `target`, in the table of built-in types; undefined below fields that the table does not know.
 * @throws ApiError 400 for directives that make no sense.
 */
export function applyStrategicMergePatch(
  target: unknown,
  patch: JsonObject,
  typeName: string | undefined,
): JsonObject | undefined {
  return mergeObject(isObject(target) ? target : {}, patch, typeName);
}

function mergeObject(target: JsonObject, patch: JsonObject, typeName: string | undefined): JsonObject | undefined {
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
      throw badRequest(`unknown patch directive ${JSON.stringify(patch.$patch)} in a ${typeName ?? 'value'}`);
  }
  const merged: JsonObject = { ...target };
  if (Array.isArray(patch.$retainKeys)) {
    for (const name of Object.keys(merged)) if (!patch.$retainKeys.includes(name)) delete merged[name];
  }
  for (const [name, value] of Object.entries(patch)) {
    if (name === '$patch' || name === '$retainKeys' || name.startsWith(SET_ORDER)) continue;
    if (name.startsWith(DELETE_VALUES)) deleteValues(merged, name.slice(DELETE_VALUES.length), value);
    else mergeField(merged, name, value, typeName, patch[`${SET_ORDER}${name}`]);
  }
  // An order without a change of the list itself.
  for (const [name, order] of Object.entries(patch)) {
    const list = name.startsWith(SET_ORDER) ? name.slice(SET_ORDER.length) : undefined;
    if (list === undefined || patch[list] !== undefined || !Array.isArray(merged[list])) continue;
    merged[list] = arrange(merged[list], order as unknown[], merged[list], typeName && mergeKeyOf(typeName, list));
  }
  return merged;
}

function mergeField(
  merged: JsonObject,
  name: string,
  value: unknown,
  typeName: string | undefined,
  order: unknown,
): void {
  const type = typeName === undefined ? undefined : fieldsOf(typeName).get(name)?.type;
  if (value === null) delete merged[name];
  else if (Array.isArray(value)) {
    const key = typeName && mergeKeyOf(typeName, name);
    if (key === undefined) merged[name] = structuredClone(value);
    else
      merged[name] = mergeList(
        merged[name],
        value,
        key,
        name,
        type?.kind === 'list' ? structName(type.of) : undefined,
        order,
      );
  } else if (isObject(value)) {
    const result = mergeObject(isObject(merged[name]) ? merged[name] : {}, value, structName(type));
    if (result === undefined) delete merged[name];
    else merged[name] = result;
  } else merged[name] = value;
}

const structName = (type: TypeRef | undefined): string | undefined => (type?.kind === 'struct' ? type.name : undefined);

function deleteValues(merged: JsonObject, name: string, values: unknown): void {
  if (!Array.isArray(merged[name]) || !Array.isArray(values)) return;
  merged[name] = merged[name].filter((item: unknown) => !values.some((gone) => isDeepStrictEqual(item, gone)));
}

function mergeList(
  current: unknown,
  patch: readonly unknown[],
  key: string,
  name: string,
  itemType: string | undefined,
  order: unknown,
): unknown[] {
  const existing: unknown[] = Array.isArray(current) ? current : [];
  const wanted = Array.isArray(order) ? order : patch;
  if (key === '') {
    // A list of scalars that is a set, such as finalizers.
    const merged = [...existing, ...patch.filter((item) => !existing.includes(item))];
    return arrange(merged, wanted, existing, key);
  }
  const isReplace = (item: unknown): boolean => isObject(item) && item.$patch === 'replace';
  if (patch.some(isReplace)) return structuredClone(patch.filter((item) => !isReplace(item)));
  let merged = [...existing];
  for (const item of patch) {
    if (!isObject(item)) throw badRequest(`${name} is a list of objects; the patch has ${JSON.stringify(item)} in it`);
    const id = item[key];
    if (id === undefined) throw badRequest(`map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`);
    const same = (other: unknown): boolean => isObject(other) && isDeepStrictEqual(other[key], id);
    if (item.$patch === 'delete') {
      merged = merged.filter((other) => !same(other));
      continue;
    }
    const at = merged.findIndex(same);
    if (at < 0) merged.push(mergeObject({}, item, itemType));
    else merged[at] = mergeObject(merged[at] as JsonObject, item, itemType);
  }
  return arrange(merged, wanted, existing, key);
}

/**
 * Orders a merged list as strategicpatch.normalizeElementOrder does: the elements that the writer names, in the writer's order;
 * between them those that only the server has, each before the first named one that it preceded. An element that is new
 * comes before everything the writer does not name.
 */
function arrange(
  merged: readonly unknown[],
  wanted: readonly unknown[],
  server: readonly unknown[],
  key: string | undefined,
): unknown[] {
  const idOf = (item: unknown): unknown => (key && isObject(item) ? item[key] : item);
  const place = (item: unknown, list: readonly unknown[]): number =>
    list.findIndex((other) => isDeepStrictEqual(idOf(other), idOf(item)));
  const named = merged.filter((item) => place(item, wanted) >= 0);
  named.sort((a, b) => place(a, wanted) - place(b, wanted));
  const others = merged.filter((item) => place(item, wanted) < 0);
  const result: unknown[] = [];
  for (const item of named) {
    const at = place(item, server);
    while (others.length > 0 && place(others[0], server) < at) result.push(others.shift());
    result.push(item);
  }
  return [...result, ...others];
}
