/** A small Kubernetes client for daemons: keep-alive, typed errors, informers. */
export { type BackoffOptions, backoffMs } from './backoff.js';
export * from './client.js';
export {
  type ClientConfig,
  inClusterConfig,
  isInCluster,
  loadKubeconfig,
  resolveConfig,
  tokenFile,
} from './config.js';
export { isKubeError, KubeError, type KubeErrorCode, type KubeErrorInit } from './error.js';
export { EventRecorder, type EventRecorderOptions, type EventType } from './event-recorder.js';
export { find, upsert } from './find.js';
export * from './objects.js';
export * from './resources.js';
export { Informer, type InformerEvents, type InformerOptions } from './watch/informer.js';
export { type Again, WorkQueue, type WorkQueueOptions } from './work-queue.js';
