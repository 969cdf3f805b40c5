/** Fairlead forwarder: desired virtual servers to the kernel, by IPVS or nftables. */

export { type Cleanup, type CleanupOptions, cleanup, speakerRuns } from './cleanup.js';
export { createForwarder, type ForwarderOptions } from './create-forwarder.js';
export * from './diff.js';
export { checkCapabilities, speakerWork } from './director/capabilities.js';
export { checkName, Director, type DirectorOptions } from './director/director.js';
export type { FirewallCounters } from './director/firewall.js';
export { DEFAULT_HOST_INTERFACE } from './director/link.js';
export { type ErrorCode, ForwardingError } from './errors.js';
export * from './forwarder.js';
export * from './health/index.js';
export * from './kubernetes.js';
export type { Log } from './log.js';
export { type Nft, NftCommand, NftError, type NftObject } from './nft.js';
export type { Counter } from './nft-reader.js';
export {
  type HostObstacleOptions,
  HostObstacles,
  type Obstacle,
  type ObstacleCode,
} from './obstacles/host-obstacles.js';
export * from './plan/input.js';
export * from './plan/plan.js';
export { type Candidate, Planner, type PlannerOptions } from './plan/planner.js';
export { DEFAULT_SCHEDULER, parseScheduler, type Scheduler } from './plan/scheduler.js';
export { DeadMansSwitch, type DeadMansSwitchOptions } from './routes/dead-mans-switch.js';
export { HostRoutes, type HostRoutesOptions, type RoutesChange, type VirtualRouterVips } from './routes/host-routes.js';
export { OwnerRules, type OwnerRulesOptions } from './routes/owner-rules.js';
export { MAX_VIRTUAL_ROUTERS, ROUTE_PROTOCOL, TABLE_BASE } from './routes/tables.js';
export { type Exit, FormerOwners, type FormerOwnersOptions } from './second-chance/former-owners.js';
export type { ChanceCounter } from './second-chance/rules.js';
export { SecondChance, type SecondChanceOptions } from './second-chance/second-chance.js';
export type { SignLife } from './second-chance/signs.js';
