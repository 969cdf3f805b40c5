/** Which resources there are and under which path the API server has them. */
import type { ObjectKey } from './objects.js';

export interface Resource {
  /** API group; '' is the core group. */
  group: string;
  version: string;
  plural: string;
  kind: string;
  namespaced: boolean;
}

function define(group: string, version: string, plural: string, kind: string, namespaced: boolean): Resource {
  return Object.freeze({ group, version, plural, kind, namespaced });
}

export const pods = define('', 'v1', 'pods', 'Pod', true);
export const nodes = define('', 'v1', 'nodes', 'Node', false);
export const services = define('', 'v1', 'services', 'Service', true);
export const namespaces = define('', 'v1', 'namespaces', 'Namespace', false);
export const configMaps = define('', 'v1', 'configmaps', 'ConfigMap', true);
export const secrets = define('', 'v1', 'secrets', 'Secret', true);
export const events = define('', 'v1', 'events', 'Event', true);
export const endpointSlices = define('discovery.k8s.io', 'v1', 'endpointslices', 'EndpointSlice', true);
export const leases = define('coordination.k8s.io', 'v1', 'leases', 'Lease', true);
export const deployments = define('apps', 'v1', 'deployments', 'Deployment', true);
export const daemonSets = define('apps', 'v1', 'daemonsets', 'DaemonSet', true);
export const customResourceDefinitions = define(
  'apiextensions.k8s.io',
  'v1',
  'customresourcedefinitions',
  'CustomResourceDefinition',
  false,
);
/** Kubernetes 1.33 and later. */
export const serviceCidrs = define('networking.k8s.io', 'v1', 'servicecidrs', 'ServiceCIDR', false);
export const addressPools = define('fairlead.dev', 'v1alpha1', 'addresspools', 'AddressPool', false);

/** `v1`, `coordination.k8s.io/v1`: what stands in an object's `apiVersion`. */
export function apiVersionOf(resource: Resource): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
}

/** Path of the collection; all namespaces when none is given. */
export function collectionPath(resource: Resource, namespace?: string): string {
  const root = resource.group === '' ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`;
  const scope = resource.namespaced && namespace ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${root}${scope}/${resource.plural}`;
}

/** Path of one object. @throws TypeError when a namespaced resource is named without its namespace. */
export function objectPath(resource: Resource, key: ObjectKey, subresource?: string): string {
  if (!key.name) throw new TypeError(`a ${resource.kind} needs a name to be addressed`);
  if (resource.namespaced && !key.namespace) {
    throw new TypeError(`${resource.kind} "${key.name}" needs a namespace: ${resource.plural} are namespaced`);
  }
  const path = `${collectionPath(resource, key.namespace)}/${encodeURIComponent(key.name)}`;
  return subresource ? `${path}/${subresource}` : path;
}
