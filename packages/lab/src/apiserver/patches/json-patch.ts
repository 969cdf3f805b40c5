/** JSON Patch (RFC 6902): a list of operations on places named by JSON Pointers (RFC 6901). */
import { isDeepStrictEqual } from 'node:util';
import { ApiError, badRequest } from '../errors.js';
import { isObject, type JsonObject } from '../types.js';

const unprocessable = (why: string): ApiError =>
  new ApiError(422, 'Invalid', `the server rejected our request due to an error in our request: ${why}`);

function parsePointer(pointer: unknown): string[] {
  if (pointer === '') return [];
  if (typeof pointer !== 'string' || !pointer.startsWith('/')) {
    throw badRequest(`error decoding patch: ${JSON.stringify(pointer)} is no JSON pointer`);
  }
  return pointer
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** Index into a list; `-` means behind the last element, where that is allowed. */
function indexOf(list: readonly unknown[], part: string, pointer: string, end: number): number {
  if (part === '-' && end === list.length) return list.length;
  if (!/^(0|[1-9]\d*)$/.test(part) || Number(part) > end) {
    throw unprocessable(`Unable to access invalid index: ${part} in ${pointer}`);
  }
  return Number(part);
}

function child(container: unknown, part: string, pointer: string): unknown {
  if (Array.isArray(container)) return container[indexOf(container, part, pointer, container.length - 1)];
  if (isObject(container) && Object.hasOwn(container, part)) return container[part];
  throw unprocessable(`${pointer}: missing value`);
}

function get(root: unknown, pointer: string): unknown {
  return parsePointer(pointer).reduce<unknown>((at, part) => child(at, part, pointer), root);
}

function remove(root: unknown, pointer: string): void {
  const parts = parsePointer(pointer);
  const last = parts.pop();
  if (last === undefined) throw unprocessable('remove operation does not apply: the whole document cannot be removed');
  const container = parts.reduce<unknown>((at, part) => child(at, part, pointer), root);
  child(container, last, pointer);
  if (Array.isArray(container)) container.splice(Number(last), 1);
  else delete (container as JsonObject)[last];
}

function add(root: unknown, pointer: string, value: unknown, replace: boolean): unknown {
  const parts = parsePointer(pointer);
  const last = parts.pop();
  if (last === undefined) return value;
  const container = parts.reduce<unknown>((at, part) => child(at, part, pointer), root);
  if (Array.isArray(container)) {
    if (replace) container[indexOf(container, last, pointer, container.length - 1)] = value;
    else container.splice(indexOf(container, last, pointer, container.length), 0, value);
  } else if (isObject(container)) {
    if (replace) child(container, last, pointer);
    container[last] = value;
  } else {
    throw unprocessable(`${pointer}: missing container`);
  }
  return root;
}

/**
 * Applies a JSON Patch to a copy of `document`.
 * @throws ApiError 400 when it is no patch, 422 when it does not apply (a failed `test` among them).
 */
export function applyJsonPatch(document: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw badRequest('error decoding patch: a JSON patch is a list of operations');
  let root = structuredClone(document);
  for (const operation of patch as JsonObject[]) {
    const { op, path, from } = operation;
    const value = structuredClone(operation.value);
    parsePointer(path);
    switch (op) {
      case 'add':
      case 'replace':
        if (!('value' in operation)) throw badRequest(`error decoding patch: ${op} ${path} has no value`);
        root = add(root, path, value, op === 'replace');
        break;
      case 'remove':
        remove(root, path);
        break;
      case 'move': {
        const moved = get(root, from);
        remove(root, from);
        root = add(root, path, moved, false);
        break;
      }
      case 'copy':
        root = add(root, path, structuredClone(get(root, from)), false);
        break;
      case 'test':
        if (!isDeepStrictEqual(get(root, path), value)) throw unprocessable(`testing path ${path} failed`);
        break;
      default:
        throw badRequest(`error decoding patch: unexpected kind of operation ${JSON.stringify(op)}`);
    }
  }
  return root;
}
