/** From URL to intent: which resource, which object, which subresource. */
import { badRequest, noSuchResource } from './errors.js';
import type { Registry, ResourceType } from './resources.js';
import type { Subresource } from './strategy.js';

/** What a path under /api/v1 or /apis/GROUP/VERSION points at. */
export interface Target {
  type: ResourceType;
  /** Undefined for cluster-scoped resources, and for a namespaced one across all namespaces. */
  namespace: string | undefined;
  /** Undefined: the collection. */
  name: string | undefined;
  subresource: Subresource;
}

/** Subresources of built-in types; a custom resource has `status` when its definition says so. */
function subresourceOf(type: ResourceType, text: string | undefined): Subresource {
  if (text === undefined) return '';
  if (text === 'status' && type.status) return 'status';
  if (text === 'finalize' && type.kind === 'Namespace' && type.group === '') return 'finalize';
  throw noSuchResource();
}

/** Parses a resource path; undefined when it is not one (discovery, health ...). @throws ApiError 404 */
export function parseTarget(path: string, registry: Registry): Target | undefined {
  const parts = path.split('/').slice(1).map(decode);
  let group = '';
  if (parts[0] === 'apis') group = parts.splice(1, 1)[0] ?? '';
  else if (parts[0] !== 'api') return undefined;
  const version = parts[1];
  let rest = parts.slice(2);
  if (version === undefined || rest.length === 0 || rest[0] === '') return undefined;

  let namespace: string | undefined;
  if (rest[0] === 'namespaces' && rest.length > 2 && !(group === '' && ['status', 'finalize'].includes(rest[2]!))) {
    namespace = rest[1];
    rest = rest.slice(2);
  }
  const [plural, name, subresource, ...more] = rest;
  const type = registry.find(group, version, plural!);
  if (!type || more.length > 0 || (namespace !== undefined && !type.namespaced)) throw noSuchResource();
  if (type.namespaced && namespace === undefined && name !== undefined) throw noSuchResource();
  return { type, namespace, name: name === '' ? undefined : name, subresource: subresourceOf(type, subresource) };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw badRequest(`the path has a part that is not percent-encoded properly: ${part}`);
  }
}

/** Reads `name` as a whole number of at least 0. @throws ApiError 400 */
export function numberParameter(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^\d+$/.test(text)) throw badRequest(`Invalid value: "${text}": ${name} must be a whole number of at least 0`);
  return Number(text);
}

export function booleanParameter(query: URLSearchParams, name: string): boolean {
  const text = query.get(name);
  return text === '' || text === '1' || text === 'true' || text === 'True';
}
