/** Everything that is no resource: health, version, metrics, discovery, OpenAPI. */
import type { IncomingMessage } from 'node:http';
import { aggregatedDiscovery, apiGroup, apiGroupList, apiResourceList, apiVersions, VERSION } from './discovery.js';
import { noSuchResource } from './errors.js';
import type { Answer } from './handler.js';
import type { OpenApi } from './openapi.js';
import type { RequestCounts } from './request-counts.js';
import type { Registry } from './resources.js';

const AGGREGATED = /application\/json[^,]*;\s*as=APIGroupDiscoveryList|application\/json[^,]*g=apidiscovery\.k8s\.io/i;
const AGGREGATED_TYPE = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

/** @throws ApiError 404 */
export function staticAnswer(
  request: IncomingMessage,
  path: string,
  registry: Registry,
  openApi: OpenApi,
  counts: RequestCounts,
): Answer {
  if (request.method !== 'GET' && request.method !== 'HEAD') throw noSuchResource();
  const wantsAggregated = AGGREGATED.test(request.headers.accept ?? '');
  const [root, first, second, ...more] = path.split('/').filter((part) => part !== '');
  const found = (body: Answer['body'] | undefined, headers?: Record<string, string>): Answer => {
    if (body === undefined || more.length > 0) throw noSuchResource();
    return { status: 200, body, ...(headers ? { headers } : {}) };
  };
  switch (root) {
    case 'healthz':
    case 'livez':
    case 'readyz':
      return text('ok');
    case 'metrics':
      return text(counts.metrics());
    case 'version':
      return found(VERSION);
    case 'api':
      if (first !== undefined) return found(second === undefined ? apiResourceList(registry, '', first) : undefined);
      if (wantsAggregated) return found(aggregatedDiscovery(registry, true), { 'content-type': AGGREGATED_TYPE });
      return found(apiVersions());
    case 'apis':
      if (second !== undefined) return found(apiResourceList(registry, first!, second));
      if (first !== undefined) return found(apiGroup(registry, first));
      if (wantsAggregated) return found(aggregatedDiscovery(registry, false), { 'content-type': AGGREGATED_TYPE });
      return found(apiGroupList(registry));
    case 'openapi':
      if (first !== 'v3') throw noSuchResource();
      if (second === undefined) return found(openApi.index());
      return { status: 200, body: openApi.document([second, ...more].join('/')) ?? notServed() };
    default:
      throw noSuchResource();
  }
}

function text(body: string): Answer {
  return { status: 200, body: Buffer.from(body), headers: { 'content-type': 'text/plain; charset=utf-8' } };
}

function notServed(): never {
  throw noSuchResource();
}
