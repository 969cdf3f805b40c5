/** An in-memory Kubernetes API server for labs and tests. */
export { ApiError } from './errors.js';
export type { FaultOptions, RequestInfo, RequestMatch } from './faults.js';
export { Faults } from './faults.js';
export { ApiServer, type ApiServerOptions, type ListenAddress } from './server.js';
export type { KubeObject, ObjectMeta } from './types.js';
