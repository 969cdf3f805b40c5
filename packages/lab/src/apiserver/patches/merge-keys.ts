/**
 * Which lists of built-in types are merged element by element, and by which key (`x-kubernetes-patch-merge-key` in the
 * real server's OpenAPI). Lists that are not here are replaced as a whole.
 */

/** Below any of these paths the same names mean the same: containers in pods, in pod templates ... */
const BY_SUFFIX: Record<string, string> = {
  'metadata.finalizers': '',
  'metadata.ownerReferences': 'uid',
  'Service.spec.ports': 'port',
  'Node.spec.taints': 'key',
  'Node.spec.podCIDRs': '',
  'Node.status.addresses': 'type',
  'status.conditions': 'type',
  'Service.status.loadBalancer.ingress': 'ip',
  'ServiceAccount.secrets': 'name',
  imagePullSecrets: 'name',
  'spec.containers': 'name',
  'spec.initContainers': 'name',
  'spec.ephemeralContainers': 'name',
  'spec.volumes': 'name',
  'spec.hostAliases': 'ip',
  'spec.topologySpreadConstraints': 'topologyKey',
  'ontainers.env': 'name',
  'ontainers.ports': 'containerPort',
  'ontainers.volumeMounts': 'mountPath',
  'ontainers.volumeDevices': 'devicePath',
};

const SUFFIXES = Object.entries(BY_SUFFIX);

/**
 * The merge key of the list at `path` (from the kind on, without indexes, such as `Deployment.spec.template.spec.containers.ports`);
 * the empty text for a set of scalars, undefined for a list that is replaced.
 */
export function mergeKeyOf(path: string): string | undefined {
  return SUFFIXES.find(
    ([suffix]) =>
      path === suffix ||
      path.endsWith(`${/^[A-Z]/.test(suffix) || suffix.startsWith('ontainers') ? '' : '.'}${suffix}`),
  )?.[1];
}
