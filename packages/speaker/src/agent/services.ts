/**
 * What the speaker keeps of a Service: there may be thousands, and who wrote which field, which Pods it selects and its addresses inside the
 * cluster are nothing to a speaker.
 */
import { conditions } from '@fairlead/api';
import type { WatchedService } from './feed.js';

/** Of annotations, kubectl's copy of the whole Service is the longest. */
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** For an informer: what is kept already stays what it is. */
export function keepService(service: WatchedService): WatchedService {
  const { apiVersion, kind, metadata = {}, spec, status } = service;
  const { name, namespace, uid, resourceVersion, annotations } = metadata;
  const touched = status?.conditions?.filter(({ type }) => type === conditions.allocated);
  return {
    ...(apiVersion !== undefined && { apiVersion }),
    ...(kind !== undefined && { kind }),
    metadata: {
      ...(name !== undefined && { name }),
      ...(namespace !== undefined && { namespace }),
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
      ...(annotations && { annotations: without(annotations, LAST_APPLIED) }),
    },
    ...(spec && { spec: specOf(spec) }),
    ...(status && {
      status: {
        ...(status.loadBalancer && { loadBalancer: status.loadBalancer }),
        ...(touched && touched.length > 0 && { conditions: touched.map(({ type }) => ({ type })) }),
      },
    }),
  } as WatchedService;
}

/** But for what selects Pods, and for what only the cluster sees. */
function specOf(spec: NonNullable<WatchedService['spec']>): object {
  const { selector: _, clusterIP: __, clusterIPs: ___, ...rest } = spec as Record<string, unknown>;
  return rest;
}

function without(annotations: Record<string, string>, name: string): Record<string, string> {
  if (!(name in annotations)) return annotations;
  const { [name]: _, ...rest } = annotations;
  return rest;
}
