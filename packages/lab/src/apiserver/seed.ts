/** What a cluster has from the start. */
import type { Rest } from './rest.js';
import type { KubeObject } from './types.js';

const NAMESPACES = ['default', 'kube-node-lease', 'kube-public', 'kube-system'];

export function seedCluster(rest: Rest, serviceCidrs: readonly string[]): void {
  const create = (plural: string, namespace: string | undefined, object: KubeObject, group = ''): void => {
    rest.create(rest.registry.find(group, 'v1', plural)!, namespace, object);
  };
  for (const name of NAMESPACES) {
    create('namespaces', undefined, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    create('serviceaccounts', name, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } });
  }
  create(
    'servicecidrs',
    undefined,
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'ServiceCIDR',
      metadata: { name: 'kubernetes' },
      spec: { cidrs: [...serviceCidrs] },
    },
    'networking.k8s.io',
  );
  // The Service that leads to the API server itself has the first address of the range.
  const [network] = serviceCidrs[0]!.split('/');
  const first = network!.includes(':') ? `${network}1` : network!.replace(/\d+$/, (last) => String(Number(last) + 1));
  create('services', 'default', {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'kubernetes', labels: { component: 'apiserver', provider: 'kubernetes' } },
    spec: {
      type: 'ClusterIP',
      clusterIP: first,
      ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: 6443 }],
    },
  });
}
