/**
 * An in-memory Kubernetes API server for labs and tests. Clients that are written for a real one, kubectl among them, work
 * against it; see server.ts for how to start one, main.ts for the process.
 *
 * What a real API server does and this one does not:
 * - no authentication, authorization, admission, audit, priority and fairness; every request is allowed;
 * - nothing is kept: a new process is a new cluster, and a watch that continues from an old one gets 410;
 * - server-side apply is a merge: no field managers, no conflicts, nothing is removed that an applier stops naming;
 * - no garbage collection by ownerReferences, no controllers: Deployments and DaemonSets are only stored;
 * - validation of built-in objects covers types and unknown fields everywhere, values only where people run into them
 *   (Services fully, others a little); webhooks are not called;
 * - CEL rules (cel/rules.ts) know none of the functions that Kubernetes adds to CEL, and have no budget at run time;
 * - no scale, binding, eviction, log, exec, token subresources; a Pod is scheduled by writing its spec.nodeName;
 * - protobuf is read (what kubectl's create commands send), never written; no compression, HTTP/1.1 only.
 */
export { RuleSet } from './cel/rules.js';
export { ApiError } from './errors.js';
export { type FaultOptions, Faults, type RequestInfo, type RequestMatch } from './faults.js';
export { ApiServer, type ApiServerOptions, type ListenAddress } from './server.js';
export type { KubeObject, ObjectMeta } from './types.js';
