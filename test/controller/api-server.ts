/** The lab's API server inside this process. (@fairlead/lab itself runs it as a process of its own.) */

import type { ApiServer, ApiServerOptions } from '../../packages/lab/src/apiserver/index.js';

export type { ApiServer };

/** Seen from test/dist/controller/. */
const MODULE = '../../../packages/lab/dist/apiserver/index.js';

export async function newApiServer(options: ApiServerOptions = {}): Promise<ApiServer> {
  const module = await import(MODULE);
  return new (module as { ApiServer: typeof ApiServer }).ApiServer(options);
}
