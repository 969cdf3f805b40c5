/** The lab's API server inside this process, where Lab runs it as a process of its own. */

import { ApiServer, type ApiServerOptions } from '@fairlead/lab';

export type { ApiServer };

export async function newApiServer(options: ApiServerOptions = {}): Promise<ApiServer> {
  return new ApiServer(options);
}
