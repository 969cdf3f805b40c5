/**
 * What the speaker keeps of a Service: there may be thousands, and who wrote which field, which Pods it selects and its addresses inside the
 * cluster are nothing to a speaker.
 */
import { conditions } from '@fairlead/api';
import type { WatchedService } from './feed.js';
import { only } from './kept.js';

type Spec = NonNullable<WatchedService['spec']>;
type Status = NonNullable<WatchedService['status']>;

const METADATA = ['name', 'namespace', 'uid', 'resourceVersion', 'annotations'] as const;
/** All that serviceInput, vipsOf and checkWish read. */
const SPEC: readonly (keyof Spec)[] = [
  'type',
  'loadBalancerClass',
  'ports',
  'externalTrafficPolicy',
  'healthCheckNodePort',
  'allocateLoadBalancerNodePorts',
  'sessionAffinity',
  'sessionAffinityConfig',
  'loadBalancerSourceRanges',
];
const PORT = ['name', 'port', 'nodePort', 'protocol'] as const;
/** Of annotations, kubectl's copy of the whole Service is the longest. */
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
/** That it is there is all that is asked of the condition. */
const TOUCHED: Status['conditions'] = [{ type: conditions.allocated }];

/** For an informer: what is kept already stays what it is. */
export function keepService(service: WatchedService): WatchedService {
  const { metadata = {}, spec, status } = service;
  const kept = only(service, ['apiVersion', 'kind']);
  kept.metadata = only(metadata, METADATA);
  if (metadata.annotations) kept.metadata.annotations = without(metadata.annotations, LAST_APPLIED);
  if (spec) kept.spec = specOf(spec);
  if (status) kept.status = statusOf(status);
  return kept;
}

function specOf(spec: Spec): Spec {
  const kept = only(spec, SPEC);
  if (spec.ports) kept.ports = spec.ports.map((port) => only(port, PORT));
  return kept;
}

function statusOf(status: Status): Status {
  const kept = only(status, ['loadBalancer']);
  if (status.conditions?.some(({ type }) => type === conditions.allocated)) kept.conditions = TOUCHED;
  return kept;
}

function without(annotations: Record<string, string>, name: string): Record<string, string> {
  if (!(name in annotations)) return annotations;
  const { [name]: _, ...rest } = annotations;
  return rest;
}
