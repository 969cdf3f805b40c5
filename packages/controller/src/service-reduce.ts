/**
 * What is kept of a Service in memory: less than half of it. Charts and `kubectl apply` leave annotations of several KB, and ten
 * thousand Services are kept for as long as the process lives.
 */

import { annotations } from '@fairlead/api';
import type { V1Service } from '@kubernetes/client-node';

const KEPT_ANNOTATIONS: readonly string[] = [annotations.addressPool, annotations.addresses, annotations.sharingKey];

/** Everything that the controller reads or writes; of `spec` nothing is ever written. */
export function reduceService({ apiVersion, kind, metadata, spec, status }: V1Service): V1Service {
  const { name, namespace, uid, resourceVersion, labels, finalizers } = metadata ?? {};
  const { creationTimestamp, deletionTimestamp } = metadata ?? {};
  const noted = Object.entries(metadata?.annotations ?? {}).filter(([key]) => KEPT_ANNOTATIONS.includes(key));
  const shares = noted.some(([key]) => key === annotations.sharingKey);
  const { type, loadBalancerClass, loadBalancerIP, ipFamilies, ipFamilyPolicy, clusterIPs } = spec ?? {};
  return defined({
    apiVersion,
    kind,
    metadata: defined({
      name,
      namespace,
      uid,
      resourceVersion,
      labels,
      finalizers,
      creationTimestamp,
      deletionTimestamp,
      ...(noted.length > 0 && { annotations: Object.fromEntries(noted) }),
    }),
    spec: defined({
      type,
      loadBalancerClass,
      loadBalancerIP,
      ipFamilies,
      ipFamilyPolicy,
      clusterIPs,
      // Who shares has to agree with others in these.
      ...(shares && {
        externalTrafficPolicy: spec?.externalTrafficPolicy,
        selector: spec?.selector,
        ports: spec?.ports,
      }),
    }),
    status,
  }) as V1Service;
}

function defined<T extends object>(object: T): Partial<T> {
  for (const key of Object.keys(object) as (keyof T)[]) if (object[key] === undefined) delete object[key];
  return object;
}
