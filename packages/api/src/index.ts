/** Fairlead's API: names, the AddressPool type, what Services ask for, IP addresses and ranges, virtual routers. Pure, no dependencies. */

export * from './address.js';
export * from './address-pool.js';
export * from './address-space.js';
export {
  type AnnouncementSettings,
  ARP_FORMS,
  type ArpForm,
  DEFAULT_ANNOUNCEMENT,
} from './announcement-settings.js';
export type { NodeChoice } from './chosen-nodes.js';
export * from './find-pool.js';
export * from './label-selector.js';
export * from './names.js';
export { type Announcement, announcementSpecOf, matchesInterface } from './parse-announcement.js';
export { type ParsedPool, type ParsePoolResult, type PoolUse, parseAddressPool, useOf } from './parse-pool.js';
export * from './placement.js';
export * from './pool-admission.js';
export * from './pool-in-effect.js';
export * from './range.js';
export * from './service.js';
export * from './service-request.js';
export * from './virtual-router.js';
