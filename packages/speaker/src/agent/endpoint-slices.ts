/** What the speaker keeps of an EndpointSlice: there may be tens of thousands, and a planner needs little of them. */
import { type EndpointSliceObject, type EndpointsInput, endpointsInput } from '@fairlead/ipvs';
import type { KubeObject } from '@fairlead/kube';

export interface WatchedSlice extends KubeObject {
  /** undefined: nothing in it concerns a planner. */
  input?: EndpointsInput;
}

/** For an informer: makes what the API server sends into what is kept; what is kept already stays the same. */
export function keepInput(object: WatchedSlice | (KubeObject & EndpointSliceObject)): WatchedSlice {
  if ('input' in object) return object;
  const { metadata = {} } = object;
  const { name, namespace, uid, resourceVersion } = metadata;
  const input = endpointsInput(object as EndpointSliceObject);
  return { metadata: defined({ name, namespace, uid, resourceVersion }), ...(input ? { input } : {}) };
}

function defined<T extends object>(object: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: NonNullable<T[K]>;
  };
}
