/** Fairlead forwarder: desired virtual servers to the kernel, by IPVS or nftables. */
export * from './diff.js';
export * from './forwarder.js';
export * from './health.js';
export * from './health-state.js';
export * from './kubernetes.js';
export { type Nft, NftCommand, NftError, type NftObject } from './nft.js';
export { NftablesForwarder } from './nftables/forwarder.js';
export * from './plan.js';
