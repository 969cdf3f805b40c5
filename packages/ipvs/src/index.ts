/** Fairlead forwarder: desired virtual servers to the kernel, by IPVS or nftables. */
export * from './diff.js';
export * from './forwarder.js';
export * from './health.js';
export * from './health-state.js';
export * from './kubernetes.js';
export * from './plan.js';
