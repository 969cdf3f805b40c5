/** An embedded data centre on one Linux machine: API server, nodes, clients, faults. */
export {
  ApiError,
  ApiServer,
  type ApiServerOptions,
  type FaultOptions,
  Faults,
  type ListenAddress,
  type RequestInfo,
  RuleSet,
} from './apiserver/index.js';
export { DEFAULT_NODE_MONITOR_GRACE_MS } from './control-plane/control-plane.js';
export { deployEcho, type EchoOptions } from './datacentre/echo.js';
export type { FrameLoss } from './datacentre/frame-loss.js';
export { LabHost } from './datacentre/host.js';
export { Lab, type LabOptions } from './datacentre/lab.js';
export { LabError, type LabErrorCode } from './datacentre/lab-error.js';
export { LabNode } from './datacentre/node.js';
export { LabPod, podHost } from './datacentre/pod.js';
export {
  type ExecOptions,
  type ExecResult,
  LabProcess,
  type ProcessExit,
  type SpawnOptions,
} from './datacentre/process.js';
export { checkMachine } from './datacentre/requirements.js';
export { type DeadLab, removeDeadLabs } from './datacentre/state.js';
export type { Uplink } from './datacentre/uplink.js';
export { untilObject } from './datacentre/wait.js';
export type { EchoAnswer } from './node/echo.js';
export { PROXY_MODES, type ProxyModeName } from './node/kube-proxy/mode.js';
export { renderRules } from './node/kube-proxy/render.js';
export type { ProxyNode } from './node/kube-proxy/service-ports.js';
export type { ProxyExpectation } from './node/protocol.js';
export { epochMs } from './probe/epoch.js';
export {
  Probe,
  type ProbeTarget,
  type RequestsReport,
  type RequestsTarget,
  sendRequests,
  startProbe,
} from './probe/probe.js';
export { type Outage, type ProbeAttempt, type ProbeReport, summarize } from './probe/report.js';
