/**
 * What is kept of a Service in memory: less than half of it. Charts and `kubectl apply` leave annotations of several KB, and ten
 * thousand Services are kept for as long as the process lives.
 *
 * All have the same properties in the same order, which V8 keeps without names and reads without looking for them.
 */

import { annotations } from '@fairlead/api';
import type { V1Service } from '@kubernetes/client-node';
import { sameJson } from '../writing/merge-patch.js';

/**
 * Everything that the controller reads or writes; of `spec` nothing is ever written. What the Service has not is undefined.
 * @param known how it was before: what has not changed since is taken from there, so that what was read anew is no burden for long
 */
export function reduceService({ apiVersion, kind, metadata, spec, status }: V1Service, known?: V1Service): V1Service {
  const noted = metadata?.annotations;
  const pool = noted?.[annotations.addressPool];
  const addresses = noted?.[annotations.addresses];
  const sharingKey = noted?.[annotations.sharingKey];
  // Who shares has to agree with others in these.
  const shares = sharingKey !== undefined;
  return {
    apiVersion,
    kind,
    metadata: {
      name: metadata?.name,
      namespace: metadata?.namespace,
      uid: metadata?.uid,
      resourceVersion: metadata?.resourceVersion,
      labels: shared(known?.metadata?.labels, metadata?.labels),
      annotations: shared(
        known?.metadata?.annotations,
        pool === undefined && addresses === undefined && !shares
          ? undefined
          : {
              [annotations.addressPool]: pool,
              [annotations.addresses]: addresses,
              [annotations.sharingKey]: sharingKey,
            },
      ),
      finalizers: metadata?.finalizers,
      creationTimestamp: metadata?.creationTimestamp,
      deletionTimestamp: metadata?.deletionTimestamp,
    },
    spec: shared(known?.spec, {
      type: spec?.type,
      loadBalancerClass: spec?.loadBalancerClass,
      loadBalancerIP: spec?.loadBalancerIP,
      ipFamilies: spec?.ipFamilies,
      ipFamilyPolicy: spec?.ipFamilyPolicy,
      clusterIPs: spec?.clusterIPs,
      externalTrafficPolicy: shares ? spec?.externalTrafficPolicy : undefined,
      selector: shares ? spec?.selector : undefined,
      ports: shares ? spec?.ports : undefined,
    }),
    status,
  } as V1Service;
}

function shared(known: object | undefined, now: object | undefined): object | undefined {
  return known && sameJson(known, now) ? known : now;
}
