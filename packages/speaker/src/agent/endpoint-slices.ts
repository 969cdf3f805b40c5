/** What the speaker keeps of an EndpointSlice: there may be tens of thousands, and a planner needs little of them. */
import { type EndpointSliceObject, type EndpointsInput, endpointsInput } from '@fairlead/ipvs';
import type { KubeObject } from '@fairlead/kube';
import { only } from './kept.js';

const METADATA = ['name', 'namespace', 'uid', 'resourceVersion'] as const;

export interface WatchedSlice extends KubeObject {
  /** undefined: nothing in it concerns a planner. */
  input?: EndpointsInput;
}

/** For an informer: makes what the API server sends into what is kept; what is kept already stays the same. */
export function keepInput(object: WatchedSlice | (KubeObject & EndpointSliceObject)): WatchedSlice {
  if ('input' in object) return object;
  const { metadata = {} } = object;
  const kept: WatchedSlice = { metadata: only(metadata, METADATA) };
  const input = endpointsInput(object as EndpointSliceObject);
  if (input) kept.input = input;
  return kept;
}
