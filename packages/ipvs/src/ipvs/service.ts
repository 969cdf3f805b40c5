/**
 * A virtual server as IPVS has it, and back. Pure.
 *
 * `sh` and `mh` always get their fallback flag: without it, connections whose hash meets a real server of weight 0 (one
 * that is being drained) are refused.
 */
import {
  fullNetmask,
  type IpvsService,
  type IpvsServiceKey,
  type IpvsServiceOptions,
  ipvsServiceFlags,
} from '@fairlead/netlink';
import type { ServiceSettings } from '../diff.js';
import { familyOf, type SchedulerFlag, type VirtualServerKey } from '../forwarder.js';

const { shFallback, shPort, mhFallback, mhPort } = ipvsServiceFlags;

/** The same bits mean different things to different schedulers, and nothing to most. Ascending, as in VirtualServer. */
const schedulerFlags: Record<string, readonly { name: SchedulerFlag; bit: number; always: boolean }[]> = {
  mh: [
    { name: 'mh-fallback', bit: mhFallback, always: true },
    { name: 'mh-port', bit: mhPort, always: false },
  ],
  sh: [
    { name: 'sh-fallback', bit: shFallback, always: true },
    { name: 'sh-port', bit: shPort, always: false },
  ],
};

/** The flags that IPVS gets for these wishes: those that the scheduler knows, and its fallback. */
export function effectiveFlags(scheduler: string, wanted: readonly SchedulerFlag[] = []): SchedulerFlag[] {
  return (schedulerFlags[scheduler] ?? [])
    .filter(({ name, always }) => always || wanted.includes(name))
    .map(({ name }) => name);
}

export function toIpvsKey(key: VirtualServerKey): IpvsServiceKey {
  const { address, port, protocol } = key;
  return { family: familyOf(address), protocol, address, port };
}

export function toIpvsService(settings: ServiceSettings): IpvsServiceOptions {
  const { scheduler, flags = [], persistenceSeconds = 0 } = settings;
  const bits = (schedulerFlags[scheduler] ?? [])
    .filter(({ name }) => flags.includes(name))
    .reduce((sum, { bit }) => sum | bit, 0);
  return {
    ...toIpvsKey(settings),
    scheduler,
    flags: bits,
    ...(persistenceSeconds > 0 ? { persistenceTimeoutSeconds: persistenceSeconds } : {}),
  };
}

/** Whether `toIpvsService` of what `fromIpvsService` makes of it would change nothing. */
export function isAsWritten(service: IpvsService): boolean {
  const known = (schedulerFlags[service.scheduler] ?? []).reduce((sum, { bit }) => sum | bit, 0);
  const persistent = service.persistenceTimeoutSeconds > 0 ? ipvsServiceFlags.persistent : 0;
  return (
    (service.flags & ~known) === persistent &&
    service.netmask === fullNetmask(service.family) &&
    !service.persistenceEngine
  );
}

/** What of a service can be said by a VirtualServer. */
export function fromIpvsService(service: IpvsService): ServiceSettings {
  const { address, port, protocol, scheduler, persistenceTimeoutSeconds } = service;
  const flags = (schedulerFlags[scheduler] ?? [])
    .filter(({ bit }) => (service.flags & bit) !== 0)
    .map(({ name }) => name);
  return {
    address,
    port,
    protocol,
    scheduler,
    ...(flags.length > 0 ? { flags } : {}),
    ...(persistenceTimeoutSeconds > 0 ? { persistenceSeconds: persistenceTimeoutSeconds } : {}),
  };
}
