/**
 * The API server of a spec: the lab's, inside this process, where Lab runs it as a process of its own; or a proxy before
 * the one that FAIRLEAD_TEST_KUBECONFIG names.
 */

import { ApiServer, type ApiServerOptions } from '@fairlead/lab';
import { isRemote, newFront } from '../api/cluster.js';
import type { TestServer } from '../api/front.js';

export { labOnly, namespace } from '../api/cluster.js';
export type { ApiServer, TestServer };

export async function newApiServer(options: ApiServerOptions = {}): Promise<TestServer> {
  return isRemote ? newFront() : new ApiServer(options);
}
