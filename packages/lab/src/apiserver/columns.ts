/** Columns of `kubectl get` for built-in resources, as kubernetes/pkg/printers/internalversion prints them. */
import type { Column } from './resources.js';
import { ageColumn, ageOf, nameColumn } from './table.js';
import type { JsonObject, KubeObject } from './types.js';

type Cell = (object: KubeObject, nowMs: number) => string | number;

const text = (name: string, cell: Cell): Column => ({ name, type: 'string', cell });
const count = (name: string, cell: Cell): Column => ({ name, type: 'integer', cell });
/** Shown with `-o wide` only. */
const wide = (column: Column): Column => ({ ...column, priority: 1 });

const NONE = '<none>';
const orNone = (value: unknown): string =>
  value === undefined || value === null || value === '' ? NONE : String(value);
const joined = (values: readonly unknown[] | undefined): string =>
  values && values.length > 0 ? values.join(',') : NONE;
const selectorText = (labels: Record<string, string> | undefined): string =>
  joined(Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`));

/** A list's first entries, and how many there are more. */
function abridged(items: readonly string[], most: number): string {
  if (items.length === 0) return '<none>';
  if (items.length <= most) return items.join(',');
  return `${items.slice(0, most).join(',')} + ${items.length - most} more...`;
}

const serviceExternalIp: Cell = ({ spec, status }) => {
  const external: string[] = spec.externalIPs ?? [];
  switch (spec.type) {
    case 'LoadBalancer': {
      const ingress = (status?.loadBalancer?.ingress ?? []).map((one: JsonObject) => one.ip || one.hostname);
      const all = [...new Set([...ingress, ...external])];
      return all.length > 0 ? all.join(',') : '<pending>';
    }
    case 'ExternalName':
      return orNone(spec.externalName);
    default:
      return joined(external);
  }
};

const servicePorts: Cell = ({ spec }) =>
  joined(
    (spec.ports ?? []).map(({ port, nodePort, protocol }: JsonObject) =>
      nodePort ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`,
    ),
  );

const conditionOf = (object: KubeObject, type: string): JsonObject | undefined =>
  (object.status?.conditions ?? []).find((condition: JsonObject) => condition.type === type);

const nodeStatus: Cell = (node) => {
  const ready = conditionOf(node, 'Ready');
  const words = [ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady'];
  if (node.spec?.unschedulable) words.push('SchedulingDisabled');
  return words.join(',');
};

const ROLE_LABEL = 'node-role.kubernetes.io/';
const nodeRoles: Cell = ({ metadata }) =>
  joined(
    Object.entries(metadata.labels ?? {})
      .flatMap(([key, value]) =>
        key.startsWith(ROLE_LABEL)
          ? [key.slice(ROLE_LABEL.length)]
          : key === 'kubernetes.io/role' && value
            ? [value]
            : [],
      )
      .sort(),
  );

const nodeAddress =
  (type: string): Cell =>
  ({ status }) =>
    orNone((status?.addresses ?? []).find((address: JsonObject) => address.type === type)?.address);

const nodeInfo =
  (name: string): Cell =>
  ({ status }) =>
    status?.nodeInfo?.[name] || (name === 'kubeletVersion' ? '' : '<unknown>');

const podReady: Cell = ({ spec, status }) => {
  const containers: JsonObject[] = spec?.containers ?? [];
  const ready = (status?.containerStatuses ?? []).filter((container: JsonObject) => container.ready).length;
  return `${ready}/${containers.length}`;
};

const podStatus: Cell = ({ metadata, status }) => {
  if (metadata.deletionTimestamp) return 'Terminating';
  for (const { state } of status?.containerStatuses ?? []) {
    const reason = state?.waiting?.reason ?? state?.terminated?.reason;
    if (reason) return reason;
  }
  return status?.reason ?? status?.phase ?? 'Unknown';
};

const podRestarts: Cell = ({ status }) =>
  String((status?.containerStatuses ?? []).reduce((sum: number, one: JsonObject) => sum + (one.restartCount ?? 0), 0));

const slicePorts: Cell = ({ ports }) =>
  (ports ?? []).length === 0
    ? '<unset>'
    : abridged(
        ports.map((port: JsonObject) => String(port.port ?? '*')),
        3,
      );

const sliceEndpoints: Cell = ({ endpoints }) => {
  const addresses = (endpoints ?? []).flatMap((endpoint: JsonObject) => endpoint.addresses ?? []);
  return addresses.length === 0 ? '<unset>' : abridged(addresses, 3);
};

const endpointsText: Cell = ({ subsets }) =>
  abridged(
    (subsets ?? []).flatMap((subset: JsonObject) =>
      (subset.addresses ?? []).flatMap((address: JsonObject) =>
        (subset.ports ?? [{}]).map((port: JsonObject) =>
          port.port === undefined ? address.ip : `${address.ip}:${port.port}`,
        ),
      ),
    ),
    3,
  );

const eventObject: Cell = ({ involvedObject }) =>
  `${String(involvedObject?.kind ?? '').toLowerCase()}/${involvedObject?.name ?? ''}`;
const eventFirst = (event: KubeObject): string | undefined => event.firstTimestamp ?? event.eventTime ?? undefined;
const eventLast = (event: KubeObject): string | undefined =>
  event.series?.lastObservedTime ?? event.lastTimestamp ?? event.eventTime ?? eventFirst(event);
const eventSource: Cell = ({ source, reportingComponent, reportingInstance }) =>
  [source?.component || reportingComponent, source?.host || reportingInstance].filter(Boolean).join(', ');

const containersOf = ({ spec }: KubeObject): JsonObject[] => spec?.template?.spec?.containers ?? [];
const templateColumns: Column[] = [
  wide(
    text('Containers', (object) =>
      containersOf(object)
        .map(({ name }) => name)
        .join(','),
    ),
  ),
  wide(
    text('Images', (object) =>
      containersOf(object)
        .map(({ image }) => image)
        .join(','),
    ),
  ),
  wide(text('Selector', ({ spec }) => selectorText(spec?.selector?.matchLabels))),
];

const createdAt: Column = {
  name: 'Created At',
  type: 'date',
  cell: ({ metadata }) => metadata.creationTimestamp ?? '',
};

const subjects =
  (kind: string): Cell =>
  (binding) =>
    (binding.subjects ?? [])
      .filter((subject: JsonObject) => subject.kind === kind)
      .map(({ name, namespace }: JsonObject) => (kind === 'ServiceAccount' ? `${namespace}/${name}` : name))
      .join(', ');

const bindingColumns: Column[] = [
  nameColumn,
  text('Role', ({ roleRef }) => `${roleRef?.kind}/${roleRef?.name}`),
  ageColumn,
  wide(text('Users', subjects('User'))),
  wide(text('Groups', subjects('Group'))),
  wide(text('ServiceAccounts', subjects('ServiceAccount'))),
];

const dataCount: Cell = ({ data, binaryData }) => Object.keys(data ?? {}).length + Object.keys(binaryData ?? {}).length;

const COLUMNS: Record<string, readonly Column[]> = {
  '/services': [
    nameColumn,
    text('Type', ({ spec }) => spec.type),
    text('Cluster-IP', ({ spec }) => orNone(spec.clusterIP)),
    text('External-IP', serviceExternalIp),
    text('Port(s)', servicePorts),
    ageColumn,
    wide(text('Selector', ({ spec }) => selectorText(spec.selector))),
  ],
  '/nodes': [
    nameColumn,
    text('Status', nodeStatus),
    text('Roles', nodeRoles),
    ageColumn,
    text('Version', nodeInfo('kubeletVersion')),
    wide(text('Internal-IP', nodeAddress('InternalIP'))),
    wide(text('External-IP', nodeAddress('ExternalIP'))),
    wide(text('OS-Image', nodeInfo('osImage'))),
    wide(text('Kernel-Version', nodeInfo('kernelVersion'))),
    wide(text('Container-Runtime', nodeInfo('containerRuntimeVersion'))),
  ],
  '/pods': [
    nameColumn,
    text('Ready', podReady),
    text('Status', podStatus),
    text('Restarts', podRestarts),
    ageColumn,
    wide(text('IP', ({ status }) => orNone(status?.podIP))),
    wide(text('Node', ({ spec }) => orNone(spec?.nodeName))),
    wide(text('Nominated Node', ({ status }) => orNone(status?.nominatedNodeName))),
    wide(text('Readiness Gates', () => NONE)),
  ],
  '/namespaces': [nameColumn, text('Status', ({ status }) => orNone(status?.phase)), ageColumn],
  '/endpoints': [nameColumn, text('Endpoints', endpointsText), ageColumn],
  '/configmaps': [nameColumn, count('Data', dataCount), ageColumn],
  '/secrets': [nameColumn, text('Type', ({ type }) => type), count('Data', dataCount), ageColumn],
  '/serviceaccounts': [nameColumn, count('Secrets', ({ secrets }) => (secrets ?? []).length), ageColumn],
  '/events': [
    text('Last Seen', (event, nowMs) => ageOf(eventLast(event), nowMs)),
    text('Type', ({ type }) => type ?? ''),
    text('Reason', ({ reason }) => reason ?? ''),
    text('Object', eventObject),
    wide(text('Subobject', ({ involvedObject }) => involvedObject?.fieldPath ?? '')),
    wide(text('Source', eventSource)),
    text('Message', ({ message }) => String(message ?? '').trim()),
    wide(text('First Seen', (event, nowMs) => ageOf(eventFirst(event), nowMs))),
    wide(count('Count', ({ count: times, series }) => series?.count ?? times ?? 1)),
    wide({ ...nameColumn }),
  ],
  'discovery.k8s.io/endpointslices': [
    nameColumn,
    text('AddressType', ({ addressType }) => addressType),
    text('Ports', slicePorts),
    text('Endpoints', sliceEndpoints),
    ageColumn,
  ],
  'networking.k8s.io/servicecidrs': [nameColumn, text('CIDRs', ({ spec }) => joined(spec?.cidrs)), ageColumn],
  'coordination.k8s.io/leases': [nameColumn, text('Holder', ({ spec }) => spec?.holderIdentity ?? ''), ageColumn],
  'apps/deployments': [
    nameColumn,
    text('Ready', ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`),
    count('Up-to-date', ({ status }) => status?.updatedReplicas ?? 0),
    count('Available', ({ status }) => status?.availableReplicas ?? 0),
    ageColumn,
    ...templateColumns,
  ],
  'apps/daemonsets': [
    nameColumn,
    count('Desired', ({ status }) => status?.desiredNumberScheduled ?? 0),
    count('Current', ({ status }) => status?.currentNumberScheduled ?? 0),
    count('Ready', ({ status }) => status?.numberReady ?? 0),
    count('Up-to-date', ({ status }) => status?.updatedNumberScheduled ?? 0),
    count('Available', ({ status }) => status?.numberAvailable ?? 0),
    text('Node Selector', ({ spec }) => selectorText(spec?.template?.spec?.nodeSelector)),
    ageColumn,
    ...templateColumns,
  ],
  'rbac.authorization.k8s.io/roles': [nameColumn, createdAt],
  'rbac.authorization.k8s.io/clusterroles': [nameColumn, createdAt],
  'rbac.authorization.k8s.io/rolebindings': bindingColumns,
  'rbac.authorization.k8s.io/clusterrolebindings': bindingColumns,
  'apiextensions.k8s.io/customresourcedefinitions': [nameColumn, createdAt],
};

/** @param collection such as `/services` or `coordination.k8s.io/leases`. */
export function columnsOf(collection: string): readonly Column[] {
  return COLUMNS[collection] ?? [nameColumn, ageColumn];
}
