/** The built-in resources, as a table: what a real cluster serves, of it what the lab's parts use. */
import { decodeBuiltin } from './builtin-types/decode.js';
import { columnsOf } from './columns.js';
import type { Registry, ResourceType } from './resources.js';
import { type ClusterIpAllocator, NodePortAllocator } from './strategies/allocators.js';
import { eventConversion } from './strategies/events.js';
import { type IpFamily, serviceStrategy } from './strategies/service.js';
import { simpleStrategies } from './strategies/simple.js';
import { plainStrategy, type Strategy } from './strategy.js';
import type { WallClock } from './types.js';

export interface BuiltinOptions {
  now: WallClock;
  random: () => number;
  clusterIps: Map<IpFamily, ClusterIpAllocator>;
  nodePortRange: readonly [number, number];
  /** The strategy of CustomResourceDefinitions, which makes new resources (crds.ts). */
  crds: Strategy;
}

interface Row {
  plural: string;
  kind: string;
  singular?: string;
  shortNames?: string[];
  categories?: string[];
  namespaced?: boolean;
  status?: boolean;
  fields?: string[];
  /** Name in the table of built-in types, where it is not the kind. */
  schemaName?: string;
  /** Another view of what is stored in this collection. */
  view?: { collection: string; conversion: NonNullable<ResourceType['conversion']> };
}

const EVENT_FIELDS = [
  'involvedObject.kind',
  'involvedObject.namespace',
  'involvedObject.name',
  'involvedObject.uid',
  'involvedObject.apiVersion',
  'involvedObject.resourceVersion',
  'involvedObject.fieldPath',
  'reason',
  'reportingComponent',
  'source',
  'type',
];

const POD_FIELDS = [
  'spec.nodeName',
  'spec.restartPolicy',
  'spec.schedulerName',
  'spec.serviceAccountName',
  'spec.hostNetwork',
  'status.phase',
  'status.podIP',
  'status.nominatedNodeName',
];

const TABLE: Record<string, Row[]> = {
  '/v1': [
    { plural: 'configmaps', kind: 'ConfigMap', shortNames: ['cm'], namespaced: true },
    { plural: 'endpoints', kind: 'Endpoints', singular: 'endpoints', shortNames: ['ep'], namespaced: true },
    { plural: 'events', kind: 'Event', shortNames: ['ev'], namespaced: true, fields: EVENT_FIELDS },
    { plural: 'namespaces', kind: 'Namespace', shortNames: ['ns'], status: true, fields: ['status.phase'] },
    { plural: 'nodes', kind: 'Node', shortNames: ['no'], status: true, fields: ['spec.unschedulable'] },
    {
      plural: 'pods',
      kind: 'Pod',
      shortNames: ['po'],
      categories: ['all'],
      namespaced: true,
      status: true,
      fields: POD_FIELDS,
    },
    { plural: 'secrets', kind: 'Secret', namespaced: true, fields: ['type'] },
    { plural: 'serviceaccounts', kind: 'ServiceAccount', shortNames: ['sa'], namespaced: true },
    {
      plural: 'services',
      kind: 'Service',
      shortNames: ['svc'],
      categories: ['all'],
      namespaced: true,
      status: true,
      fields: ['spec.clusterIP', 'spec.type'],
    },
  ],
  'apps/v1': [
    {
      plural: 'daemonsets',
      kind: 'DaemonSet',
      shortNames: ['ds'],
      categories: ['all'],
      namespaced: true,
      status: true,
    },
    {
      plural: 'deployments',
      kind: 'Deployment',
      shortNames: ['deploy'],
      categories: ['all'],
      namespaced: true,
      status: true,
    },
  ],
  'coordination.k8s.io/v1': [{ plural: 'leases', kind: 'Lease', namespaced: true }],
  'discovery.k8s.io/v1': [{ plural: 'endpointslices', kind: 'EndpointSlice', namespaced: true }],
  'events.k8s.io/v1': [
    {
      plural: 'events',
      kind: 'Event',
      shortNames: ['ev'],
      namespaced: true,
      fields: ['reason', 'type'],
      schemaName: 'EventsV1Event',
      view: { collection: '/events', conversion: eventConversion },
    },
  ],
  'networking.k8s.io/v1': [{ plural: 'servicecidrs', kind: 'ServiceCIDR', status: true }],
  'rbac.authorization.k8s.io/v1': [
    { plural: 'clusterrolebindings', kind: 'ClusterRoleBinding' },
    { plural: 'clusterroles', kind: 'ClusterRole' },
    { plural: 'rolebindings', kind: 'RoleBinding', namespaced: true },
    { plural: 'roles', kind: 'Role', namespaced: true },
  ],
  'apiextensions.k8s.io/v1': [
    {
      plural: 'customresourcedefinitions',
      kind: 'CustomResourceDefinition',
      shortNames: ['crd', 'crds'],
      categories: ['api-extensions'],
      status: true,
    },
  ],
};

/** Registers every built-in resource. */
export function addBuiltins(registry: Registry, options: BuiltinOptions): void {
  const strategies: Record<string, Strategy> = {
    ...simpleStrategies(options.now),
    '/services': serviceStrategy({
      nodePorts: new NodePortAllocator(...options.nodePortRange, options.random),
      clusterIps: options.clusterIps,
    }),
    'apiextensions.k8s.io/customresourcedefinitions': options.crds,
  };
  for (const [apiVersion, rows] of Object.entries(TABLE)) {
    const [group, version] = apiVersion.split('/') as [string, string];
    for (const row of rows) {
      const collection = row.view?.collection ?? `${group}/${row.plural}`;
      const schemaName = row.schemaName ?? row.kind;
      const type: ResourceType = {
        group,
        version,
        plural: row.plural,
        singular: row.singular ?? row.kind.toLowerCase(),
        kind: row.kind,
        listKind: `${row.kind}List`,
        shortNames: row.shortNames ?? [],
        categories: row.categories ?? [],
        namespaced: row.namespaced ?? false,
        status: row.status ?? false,
        collection,
        selectableFields: row.fields ?? [],
        columns: columnsOf(collection),
        strategy: {
          ...(strategies[collection] ?? plainStrategy),
          decode: (object, unknown) => decodeBuiltin(object, schemaName, unknown),
        },
        custom: false,
        schemaName,
        ...(row.view ? { conversion: row.view.conversion } : {}),
      };
      registry.add(type);
    }
  }
}
