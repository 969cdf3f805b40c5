/**
 * Tells users, by Events, where a VIP is announced, why one is not, and what of a Service cannot be done as it wishes; each thing once,
 * when it changes. What every speaker would say alike, only the owner of one of the Service's VIPs says.
 */

import { formatAddress, vipsOf } from '@fairlead/api';
import type { PlanProblem } from '@fairlead/ipvs';
import type { EventRecorder } from '@fairlead/kube';
import type { Logger } from 'pino';
import type { AssignedService, Unannounceable } from './assignment.js';
import type { WatchedNode, WatchedService } from './feed.js';

export interface ReporterOptions {
  node: string;
  log: Logger;
  events: Pick<EventRecorder, 'event'>;
  services: { get(key: string): WatchedService | undefined };
  /** Keys (`namespace/name`) of the Services that have a VIP. */
  servicesWith: (vip: string) => Iterable<string>;
  /** This speaker's own Node, when it is known. */
  ownNode: () => WatchedNode | undefined;
  /** Calls back once after so long, if it is still of interest then. Default: a timer. */
  later?: (callback: () => void, ms: number) => void;
}

/**
 * The checks of a new Service fail until kube-proxy has set its NodePort up on every node. That all of them fail is told when it stays
 * so for this long, ms.
 */
const CHECKS_SETTLE_MS = 10_000;

export class Reporter {
  readonly #options: ReporterOptions;
  /** VIPs that this node owns, by virtual router. */
  readonly #owned = new Map<string, ReadonlySet<string>>();
  #unannounceable: readonly Unannounceable[] = [];
  #problems: readonly PlanProblem[] = [];
  #told = new Set<string>();
  /** What is told only if it lasts, and whether it has. */
  readonly #lasting = new Map<string, { has: boolean }>();
  /** Services with externalTrafficPolicy Local that were told what it does not do. */
  readonly #toldOfAddresses = new Set<string>();
  #panic = false;

  constructor(options: ReporterOptions) {
    this.#options = options;
  }

  owns(virtualRouter: string): boolean {
    return this.#owned.has(virtualRouter);
  }

  /** This node owns these VIPs from now on. */
  took(virtualRouter: string, vips: readonly string[]): void {
    this.#owned.set(virtualRouter, new Set(vips));
    this.#tellProblems();
  }

  /** These are the VIPs of a virtual router from now on, whoever owns it. */
  reassigned(virtualRouter: string, vips: readonly string[]): void {
    if (this.#owned.has(virtualRouter)) this.#owned.set(virtualRouter, new Set(vips));
  }

  /** These VIPs are announced from now on. */
  announced(virtualRouter: string, addresses: readonly string[]): void {
    const { node, events } = this.#options;
    for (const vip of addresses) {
      const message = `${vip} is announced by node ${node} (virtual router ${virtualRouter})`;
      for (const service of this.#servicesWith(vip)) {
        events.event(service, 'Normal', 'Announced', message);
        this.service(service);
      }
    }
  }

  lost(virtualRouter: string): void {
    this.#owned.delete(virtualRouter);
  }

  /** Another station answers for a VIP that this node owns. `withheld`: this node leaves it to that one, as it was there first. */
  conflict(address: string, mac: string, uplink: string, withheld: boolean): void {
    const { events } = this.#options;
    const consequence = withheld
      ? 'so it is not announced until that station is gone'
      : 'too, so clients may reach either';
    for (const service of this.#servicesWith(address)) {
      events.event(
        service,
        'Warning',
        'AddressConflict',
        `the station with hardware address ${mac} on ${uplink} answers for ${address}, ${consequence}: take the ` +
          'address from that station, or exclude it from the pool (spec.excludeAddresses) and give the Service another one',
      );
    }
  }

  /** A Service is new, or another version of it. */
  service(service: WatchedService): void {
    const key = keyOf(service);
    if (service.spec?.externalTrafficPolicy !== 'Local') this.#toldOfAddresses.delete(key);
    else if (!this.#toldOfAddresses.has(key) && this.#isOwner(service)) {
      this.#toldOfAddresses.add(key);
      this.#options.events.event(
        service,
        'Normal',
        'ClientAddressNotKept',
        'externalTrafficPolicy is Local, so only nodes with ready Pods of the Service get its connections, but Pods see the VIP as their ' +
          'client: Fairlead rewrites the source address. Use loadBalancerSourceRanges to choose who may connect',
      );
    }
  }

  serviceGone(service: WatchedService): void {
    this.#toldOfAddresses.delete(keyOf(service));
  }

  /** What is wrong now. What was told before and still holds is not told again. */
  problems(unannounceable: readonly Unannounceable[], problems: readonly PlanProblem[]): void {
    const same =
      problems.length === this.#problems.length && problems.every((it, index) => it === this.#problems[index]);
    if (same && unannounceable === this.#unannounceable) return;
    this.#unannounceable = unannounceable;
    this.#problems = problems;
    this.#tellProblems();
  }

  /** Whether so many nodes look unusable to this speaker that it uses all of them. Returns whether they just began to. */
  panic(panic: boolean): boolean {
    if (panic === this.#panic) return false;
    this.#panic = panic;
    const { log, events, ownNode, node } = this.#options;
    const own = ownNode();
    if (panic) {
      const message =
        `to the speaker on ${node} too few nodes look usable (Ready, not excluded, and their kube-proxy healthy), so it goes on ` +
        "forwarding to all of them: look at this node's own network, at kube-proxy's health port, and at the control plane";
      log.error({ reason: 'AllNodesUnhealthy' }, message);
      if (own) events.event(own, 'Warning', 'AllNodesUnhealthy', message);
    } else {
      const message = `the speaker on ${node} sees enough usable nodes again, and forwards to those only`;
      log.info({ reason: 'NodesHealthy' }, message);
      if (own) events.event(own, 'Normal', 'NodesHealthy', message);
    }
    return panic;
  }

  #servicesWith(vip: string): WatchedService[] {
    const { services, servicesWith } = this.#options;
    return [...servicesWith(vip)].flatMap((key) => services.get(key) ?? []);
  }

  #tellProblems(): void {
    const { node, log, events, services } = this.#options;
    const now = new Set<string>();
    const tell = (service: AssignedService, reason: string, message: string) => {
      const key = `${keyOf(service)} ${message}`;
      now.add(key);
      if (this.#told.has(key)) return;
      log.warn({ reason }, message);
      events.event(service, 'Warning', reason, message);
    };
    for (const { service, why } of this.#unannounceable) tell(service, 'AnnounceFailed', `node ${node}: ${why}`);
    for (const problem of this.#problems) {
      const service = services.get(problem.service);
      if (!service || !this.#isOwner(service) || !this.#lasts(problem)) continue;
      tell(service, problem.code === 'FL_UNKNOWN_ANNOTATION' ? 'UnknownAnnotation' : 'ForwardFailed', problem.message);
    }
    this.#told = now;
    const there = new Set(this.#problems.map(({ message }) => message));
    for (const message of this.#lasting.keys()) if (!there.has(message)) this.#lasting.delete(message);
  }

  /** False for what may pass within seconds, and has not lasted longer yet. */
  #lasts({ code, message }: PlanProblem): boolean {
    if (code !== 'FL_ALL_CHECKS_FAILED') return true;
    const known = this.#lasting.get(message);
    if (known) return known.has;
    const lasting = { has: false };
    this.#lasting.set(message, lasting);
    const { later = (callback, ms) => void setTimeout(callback, ms).unref() } = this.#options;
    later(() => {
      if (this.#lasting.get(message) !== lasting) return;
      lasting.has = true;
      this.#tellProblems();
    }, CHECKS_SETTLE_MS);
    return false;
  }

  #isOwner(service: WatchedService): boolean {
    return vipsOf(service)
      .map(formatAddress)
      .some((vip) => [...this.#owned.values()].some((vips) => vips.has(vip)));
  }
}

function keyOf({ metadata }: AssignedService): string {
  return `${metadata?.namespace}/${metadata?.name}`;
}
