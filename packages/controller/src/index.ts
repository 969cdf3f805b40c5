/** The controller: allocates addresses to Services of type LoadBalancer. */
export {
  type Allocation,
  Allocator,
  type AllocatorPool,
  type FamilyUsage,
  type Holder,
  type Wish,
} from './allocator/allocator.js';
export { plainPool } from './allocator/allocator-pool.js';
export { CONTROLLER_LEASE, type Controller, type ControllerOptions, startController } from './controller.js';
export { ControllerMetrics, type ControllerView, type PoolUsage } from './metrics.js';
