/** Which Services are Fairlead's, and which VIPs they have. The same answer for the controller and every speaker. */

import type { IpAddress } from '../addresses/address.js';
import { isAddress, parseAddress } from '../addresses/address.js';
import { conditions, LOAD_BALANCER_CLASS } from '../names.js';
import type { Condition } from '../pools/address-pool.js';

/** The part of a core/v1 Service that is read here (a V1Service fits). */
export interface ServiceLike {
  spec?: { type?: string; loadBalancerClass?: string };
  status?: {
    conditions?: Pick<Condition, 'type'>[];
    loadBalancer?: { ingress?: { ip?: string; ipMode?: string }[] };
  };
}

/** Of type LoadBalancer with our class, or without any class when we are the cluster's default. */
export function isOurs(service: ServiceLike, options: { defaultClass: boolean }): boolean {
  if (service.spec?.type !== 'LoadBalancer') return false;
  const loadBalancerClass = service.spec.loadBalancerClass;
  return loadBalancerClass === LOAD_BALANCER_CLASS || (loadBalancerClass === undefined && options.defaultClass);
}

/**
 * The VIPs that Fairlead has given to a Service. Needs no flag: a class-less Service is ours when our controller has
 * left its condition there. Addresses put there by other controllers (ipMode not Proxy) are not ours to announce.
 */
export function vipsOf(service: ServiceLike): IpAddress[] {
  const touched = (service.status?.conditions ?? []).some((condition) => condition.type === conditions.allocated);
  if (!isOurs(service, { defaultClass: touched })) return [];
  return (service.status?.loadBalancer?.ingress ?? [])
    .filter((ingress) => ingress.ipMode === 'Proxy' && ingress.ip !== undefined && isAddress(ingress.ip))
    .map((ingress) => parseAddress(ingress.ip!));
}
