/** The EndpointSlices that a Service should have, as Kubernetes' endpointslice controller makes them; pure. */
import type { V1EndpointSlice, V1Pod, V1Service, V1ServicePort } from '@kubernetes/client-node';

const MAX_ENDPOINTS = 100; // --max-endpoints-per-slice
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';
export const MANAGED_BY_LABEL = 'endpointslice.kubernetes.io/managed-by';
/** The name of Kubernetes' own controller, so that others treat these slices as they treat real ones. */
export const MANAGED_BY = 'endpointslice-controller.k8s.io';

type SlicePort = NonNullable<V1EndpointSlice['ports']>[number];

/**
 * The slices for `service` from the pods of its namespace; none when it has no selector.
 * Pods whose containers number a named port differently come in slices of their own, as in Kubernetes.
 */
export function desiredSlices(service: V1Service, pods: readonly V1Pod[]): V1EndpointSlice[] {
  const selector = service.spec?.selector;
  if (selector === undefined || Object.keys(selector).length === 0 || service.spec?.type === 'ExternalName') return [];
  const groups = new Map<string, { ports: SlicePort[]; pods: V1Pod[] }>();
  for (const pod of pods) {
    if (!selects(service, pod)) continue;
    const ports = (service.spec?.ports ?? []).flatMap((port) => slicePort(port, pod));
    const key = JSON.stringify(ports);
    const group = groups.get(key) ?? { ports, pods: [] };
    group.pods.push(pod);
    groups.set(key, group);
  }
  // Without a pod there is still one empty slice: "known, and nothing there" is not "not seen yet".
  if (groups.size === 0) groups.set('', { ports: [], pods: [] });
  return [...groups.values()]
    .flatMap(({ ports, pods: members }) => chunks(members).map((chunk) => ({ ports, chunk })))
    .map(({ ports, chunk }, index) => slice(service, index, ports, chunk));
}

function selects(service: V1Service, pod: V1Pod): boolean {
  const labels = pod.metadata?.labels ?? {};
  const phase = pod.status?.phase;
  return (
    pod.metadata?.namespace === service.metadata?.namespace &&
    pod.status?.podIP !== undefined &&
    phase !== 'Failed' &&
    phase !== 'Succeeded' &&
    Object.entries(service.spec?.selector ?? {}).every(([key, value]) => labels[key] === value)
  );
}

function slicePort(port: V1ServicePort, pod: V1Pod): SlicePort[] {
  const protocol = port.protocol ?? 'TCP';
  const target = port.targetPort ?? port.port;
  const number =
    typeof target === 'number'
      ? target
      : pod.spec?.containers
          .flatMap((container) => container.ports ?? [])
          .find((p) => p.name === target && (p.protocol ?? 'TCP') === protocol)?.containerPort;
  return number === undefined ? [] : [{ name: port.name ?? '', port: number, protocol }];
}

function slice(service: V1Service, index: number, ports: SlicePort[], pods: V1Pod[]): V1EndpointSlice {
  const { name, namespace, uid } = service.metadata!;
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `${name}-${index}`,
      namespace: namespace!,
      labels: { ...service.metadata?.labels, [SERVICE_NAME_LABEL]: name!, [MANAGED_BY_LABEL]: MANAGED_BY },
      ownerReferences: [
        { apiVersion: 'v1', kind: 'Service', name: name!, uid: uid!, controller: true, blockOwnerDeletion: true },
      ],
    },
    addressType: 'IPv4',
    ports,
    endpoints: pods.map((pod) => endpoint(service, pod)),
  };
}

function endpoint(service: V1Service, pod: V1Pod): V1EndpointSlice['endpoints'][number] {
  const terminating = pod.metadata?.deletionTimestamp !== undefined;
  const serving = isPodReady(pod);
  return {
    addresses: [pod.status!.podIP!],
    conditions: {
      ready: service.spec?.publishNotReadyAddresses === true || (serving && !terminating),
      serving,
      terminating,
    },
    ...(pod.spec?.nodeName === undefined ? {} : { nodeName: pod.spec.nodeName }),
    targetRef: { kind: 'Pod', namespace: pod.metadata!.namespace!, name: pod.metadata!.name!, uid: pod.metadata!.uid! },
  };
}

export function isPodReady(pod: V1Pod): boolean {
  return pod.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false;
}

function chunks(pods: V1Pod[]): V1Pod[][] {
  const sorted = [...pods].sort((a, b) => (a.metadata!.name! < b.metadata!.name! ? -1 : 1));
  const result: V1Pod[][] = [];
  for (let i = 0; i < Math.max(1, sorted.length); i += MAX_ENDPOINTS) result.push(sorted.slice(i, i + MAX_ENDPOINTS));
  return result;
}
