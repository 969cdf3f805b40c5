/** What is said to neighbours about VIPs, and asked of them: to those on each VIP's own interface, one form of all VIPs before the next. */

import type { AnnouncementSettings } from '@fairlead/api';
import { arpProbe, gratuitousReplies, gratuitousRequests } from './arp.js';
import type { Guard } from './guard.js';
import { ndpProbe, unsolicitedAdvertisements } from './ndp.js';
import { type Form, Outbox } from './outbox.js';
import type { Ports } from './ports.js';
import type { Places } from './virtual-routers.js';

/** How often something is told to neighbours, and how urgent that is (outbox.ts). */
export const FIRST = [0, 1] as const;
export const AGAIN = [2, 2] as const;
export type Urgency = typeof FIRST | typeof AGAIN;

interface Forms {
  ipv4: readonly Form[];
  ipv6: Form;
}

export class Neighbours {
  readonly #ports: Ports;
  readonly #outbox: Outbox;

  constructor(ports: Ports, guard: Guard) {
    this.#ports = ports;
    this.#outbox = new Outbox(({ to }, error) => guard.failed(`announce on ${to.name}`, error));
  }

  /** That the VIPs are here. @param wanted asked again whenever some of it is sent */
  announce(
    vips: Places,
    { arpForms }: Pick<AnnouncementSettings, 'arpForms'>,
    urgency: Urgency,
    wanted: () => boolean,
  ): void {
    const ipv4 = arpForms.map((form) => (form === 'Request' ? requests : replies));
    this.#put(vips, { ipv4, ipv6: unsolicited }, urgency, wanted);
  }

  /** Whether anybody has the VIPs. */
  ask(vips: Places, urgency: Urgency, wanted: () => boolean): void {
    this.#put(vips, PROBES, urgency, wanted);
  }

  /** Sends as much as may go at a time. */
  send(now: number): void {
    this.#outbox.send(now);
  }

  /** When `send` has something to do, or undefined when all is said. */
  nextAt(now: number): number | undefined {
    return this.#outbox.nextAt(now);
  }

  #put(vips: Places, forms: Forms, urgency: Urgency, wanted: () => boolean): void {
    for (const [uplink, { ipv4, ipv6 }] of vips) {
      const to = this.#ports.get(uplink);
      if (to === undefined) continue;
      const post = { to, wanted: () => this.#ports.get(to.name) === to && wanted() };
      this.#outbox.put(urgency[0], { ...post, ips: ipv6, form: forms.ipv6 });
      for (const [index, form] of forms.ipv4.entries()) this.#outbox.put(urgency[index]!, { ...post, ips: ipv4, form });
    }
  }
}

const requests: Form = (ips, mac) => gratuitousRequests(ips as readonly number[], mac);

const replies: Form = (ips, mac) => gratuitousReplies(ips as readonly number[], mac);

const unsolicited: Form = (ips, mac) => unsolicitedAdvertisements(ips as readonly string[], mac);

const PROBES: Forms = {
  ipv4: [(ips, mac) => ips.map((ip) => arpProbe(ip as number, mac))],
  ipv6: (ips, mac) => ips.map((ip) => ndpProbe(ip as string, mac)),
};
