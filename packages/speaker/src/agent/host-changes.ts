/** What a change of this host's links and addresses calls for. Pure. */

import type { LinkEvent } from '@fairlead/netlink';

/**
 * `inspect`: the way into the director may be gone, so what the kernel holds is not what it was last told. `plan`: VIPs may have got
 * other interfaces, or theirs may have lost its carrier.
 */
export type HostChange = 'nothing' | 'plan' | 'inspect';

/** `own`: the host's interface to the director, and its index while it is there. */
export function hostChange(event: LinkEvent, own: { name: string; index: number | undefined }): HostChange {
  switch (event.type) {
    case 'link':
      if (event.link.name !== own.name) return 'plan';
      // The kernel drops the routes over an interface that goes down, and does not bring them back.
      return event.link.up && event.link.carrier ? 'nothing' : 'inspect';
    case 'link-removed':
      return event.link.name === own.name ? 'inspect' : 'plan';
    case 'address':
      // The dead man's switch is prolonged twice a second: that is no reason to plan ten thousand Services anew.
      return event.address.index === own.index ? 'nothing' : 'plan';
    case 'address-removed':
      return event.address.index === own.index ? 'inspect' : 'plan';
    case 'resync':
      return 'inspect';
  }
}

/** Whether the link of this name may be another one than before. */
export function concernsLink(event: LinkEvent, name: string): boolean {
  if (event.type === 'resync') return true;
  return (event.type === 'link' || event.type === 'link-removed') && event.link.name === name;
}
