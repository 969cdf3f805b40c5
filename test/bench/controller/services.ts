/** The Services of this benchmark, and the status that each of them gets. */

import { annotations, conditions, finalizers, LOAD_BALANCER_CLASS } from '@fairlead/api';
import type { KubeObject } from '@fairlead/kube';

export const NAMESPACE = 'default';
export const POOL = 'bench';
/** Room for 65,536. */
export const POOL_ADDRESSES = '10.128.0.0/16';

export function serviceName(n: number): string {
  return `web-${String(n).padStart(5, '0')}`;
}

/** As a chart would write it. */
export function benchService(n: number): KubeObject {
  const name = serviceName(n);
  const labels = { 'app.kubernetes.io/name': name, 'app.kubernetes.io/managed-by': 'bench' };
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: NAMESPACE, labels, annotations: { [annotations.addressPool]: POOL } },
    spec: {
      type: 'LoadBalancer',
      loadBalancerClass: LOAD_BALANCER_CLASS,
      selector: labels,
      ports: [
        { name: 'http', port: 80, protocol: 'TCP', targetPort: 8080 },
        { name: 'https', port: 443, protocol: 'TCP', targetPort: 8443 },
      ],
    },
  } as KubeObject;
}

/** What the controller writes to a Service, byte for byte but the address: the finalizer goes along with the status. */
export function bareStatus(n: number): object {
  const ip = `10.128.${n >> 8}.${n & 255}`;
  const condition = {
    type: conditions.allocated,
    status: 'True',
    reason: 'Allocated',
    message: `${ip} from pool "${POOL}"`,
    lastTransitionTime: '2026-01-01T00:00:00Z',
  };
  return {
    metadata: { finalizers: [finalizers.loadBalancerCleanup] },
    status: { conditions: [condition], loadBalancer: { ingress: [{ ip, ipMode: 'Proxy' }] } },
  };
}
