/**
 * Which lists of built-in types are merged element by element, and by which key (`patchStrategy:"merge"` and `patchMergeKey`
 * of the Go types). Lists that are not here are replaced as a whole.
 */

const MERGE_KEYS: Record<string, string> = {
  'ObjectMeta.finalizers': '',
  'ObjectMeta.ownerReferences': 'uid',
  'ServiceSpec.ports': 'port',
  'ServiceStatus.conditions': 'type',
  'NamespaceStatus.conditions': 'type',
  'NodeSpec.podCIDRs': '',
  'NodeStatus.addresses': 'type',
  'NodeStatus.conditions': 'type',
  'ServiceAccount.secrets': 'name',
  'DeploymentStatus.conditions': 'type',
  'DaemonSetStatus.conditions': 'type',
  'PodStatus.conditions': 'type',
  'PodStatus.hostIPs': 'ip',
  'PodStatus.podIPs': 'ip',
  'PodSpec.containers': 'name',
  'PodSpec.ephemeralContainers': 'name',
  'PodSpec.hostAliases': 'ip',
  'PodSpec.imagePullSecrets': 'name',
  'PodSpec.initContainers': 'name',
  'PodSpec.resourceClaims': 'name',
  'PodSpec.schedulingGates': 'name',
  'PodSpec.topologySpreadConstraints': 'topologyKey',
  'PodSpec.volumes': 'name',
  'Container.env': 'name',
  'Container.ports': 'containerPort',
  'Container.volumeDevices': 'devicePath',
  'Container.volumeMounts': 'mountPath',
  'EphemeralContainer.env': 'name',
  'EphemeralContainer.ports': 'containerPort',
  'EphemeralContainer.volumeDevices': 'devicePath',
  'EphemeralContainer.volumeMounts': 'mountPath',
};

/**
 * The merge key of a list field of a built-in type; the empty text for a set of scalars, undefined for a list that is
 * replaced.
 */
export function mergeKeyOf(typeName: string, field: string): string | undefined {
  return MERGE_KEYS[`${typeName}.${field}`];
}
