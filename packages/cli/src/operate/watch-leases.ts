/** Following the Leases of the virtual routers until they are as an operator wants them. */

import { LEASE_SELECTOR, SYSTEM_NAMESPACE } from '@fairlead/api';
import { Informer, type KubeApi, leases } from '@fairlead/kube';
import type { LeaseView } from './cluster-view.js';

/**
 * Calls `look` with all Leases now and at every change, until it tells that that is enough, or throws; resolves to whether it did so
 * in time.
 */
export async function followLeases(
  kube: Pick<KubeApi, 'list' | 'watch'>,
  timeoutMs: number,
  look: (leases: readonly LeaseView[]) => boolean,
): Promise<boolean> {
  const informer = new Informer<LeaseView>({
    client: kube,
    resource: leases,
    namespace: SYSTEM_NAMESPACE,
    labelSelector: LEASE_SELECTOR,
  });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<boolean>((resolve, reject) => {
      timer = setTimeout(() => resolve(false), timeoutMs);
      const check = () => {
        if (!informer.hasSynced) return;
        try {
          if (look(informer.list())) resolve(true);
        } catch (error) {
          reject(error);
        }
      };
      for (const event of ['add', 'update', 'delete'] as const) informer.on(event, check);
      informer.on('error', () => {}); // it goes on by itself; what it cannot do in time is told as that
      informer.start();
      void informer.synced.then(check);
    });
  } finally {
    clearTimeout(timer);
    await informer.stop();
  }
}
