/** Fairlead's API: names, the AddressPool type, IP addresses and ranges, virtual routers. Pure, no dependencies. */

export * from './address.js';
export * from './address-pool.js';
export * from './find-pool.js';
export * from './names.js';
export * from './parse-pool.js';
export * from './range.js';
export * from './service.js';
export * from './virtual-router.js';
