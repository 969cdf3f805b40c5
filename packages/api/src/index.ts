/** Fairlead's API: names, the AddressPool type, what Services ask for, IP addresses and ranges, virtual routers. Pure, no dependencies. */

export * from './addresses/address.js';
export * from './addresses/range.js';
export * from './label-selector.js';
export * from './names.js';
export * from './pools/address-pool.js';
export * from './pools/address-space.js';
export {
  type AnnouncementSettings,
  ARP_FORMS,
  type ArpForm,
  DEFAULT_ANNOUNCEMENT,
} from './pools/announcement-settings.js';
export * from './pools/find-pool.js';
export { type Announcement, announcementSpecOf, matchesInterface } from './pools/parse-announcement.js';
export { type ParsedPool, type ParsePoolResult, type PoolUse, parseAddressPool, useOf } from './pools/parse-pool.js';
export * from './pools/pool-admission.js';
export * from './pools/pool-in-effect.js';
export * from './services/service.js';
export * from './services/service-request.js';
export type { NodeChoice } from './virtual-routers/chosen-nodes.js';
export * from './virtual-routers/placement.js';
export * from './virtual-routers/virtual-router.js';
