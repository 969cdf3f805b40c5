/** Tells users, by Events on their Services, where a VIP is announced and why one is not; each thing once, when it changes. */

import { formatAddress, vipsOf } from '@fairlead/api';
import type { PlanProblem } from '@fairlead/ipvs';
import type { EventRecorder } from '@fairlead/kube';
import type { Logger } from 'pino';
import type { AssignedService, Unannounceable } from './assignment.js';

export interface ReporterOptions {
  node: string;
  log: Logger;
  events: Pick<EventRecorder, 'event'>;
  services: () => readonly AssignedService[];
}

export class Reporter {
  readonly #options: ReporterOptions;
  #told = new Set<string>();

  constructor(options: ReporterOptions) {
    this.#options = options;
  }

  /** This node owns these VIPs from now on. */
  took(virtualRouter: string, vips: readonly string[]): void {
    const { node, events, services } = this.#options;
    const taken = new Set(vips);
    for (const service of services()) {
      for (const vip of vipsOf(service).map(formatAddress)) {
        if (!taken.has(vip)) continue;
        const message = `${vip} is announced by node ${node} (virtual router ${virtualRouter})`;
        events.event(service, 'Normal', 'Announced', message);
      }
    }
  }

  /** What is wrong now. What was told before and still holds is not told again. */
  problems(unannounceable: readonly Unannounceable[], problems: readonly PlanProblem[]): void {
    const { node, log, events, services } = this.#options;
    const now = new Set<string>();
    const tell = (service: AssignedService | undefined, reason: string, message: string) => {
      const key = `${service?.metadata?.namespace}/${service?.metadata?.name} ${message}`;
      now.add(key);
      if (this.#told.has(key)) return;
      log.warn({ reason }, message);
      if (service) events.event(service, 'Warning', reason, message);
    };
    for (const { service, why } of unannounceable) tell(service, 'AnnounceFailed', `node ${node}: ${why}`);
    if (problems.length > 0) {
      const byName = new Map(
        services().map((service) => [`${service.metadata?.namespace}/${service.metadata?.name}`, service]),
      );
      for (const { service, message } of problems) tell(byName.get(service), 'ForwardFailed', message);
    }
    this.#told = now;
  }
}
