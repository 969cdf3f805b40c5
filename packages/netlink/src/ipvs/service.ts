/** Services (IPVS_SVC_ATTR_*). */
import type { Attributes, Encoder } from '../attribute.js';
import { checkInteger } from '../check.js';
import { MalformedMessageError } from '../errors.js';
import { anyAddress, decodeAddress, familyName, familyNumber, putAddress } from '../ip.js';
import { serviceAttributes as a, commandAttributes, SERVICE_FLAG_HASHED } from './constants.js';
import { decodeStats } from './statistics.js';
import {
  completeSettings,
  fullNetmask,
  type IpvsProtocol,
  type IpvsService,
  type IpvsServiceKey,
  type IpvsServiceOptions,
  serviceName,
} from './types.js';

const protocolNumbers: Record<IpvsProtocol, number> = { tcp: 6, udp: 17, sctp: 132 };
const protocolNames = new Map(
  Object.entries(protocolNumbers).map(([name, number]) => [number, name as IpvsProtocol] as const),
);
const MAX_SCHEDULER_LENGTH = 15;

export function putServiceKey(encoder: Encoder, key: IpvsServiceKey): void {
  encoder.nest(commandAttributes.service, () => putKeyAttributes(encoder, key));
}

export function putService(encoder: Encoder, service: IpvsServiceOptions): void {
  const { scheduler, persistenceEngine } = service;
  const { flags, persistenceTimeoutSeconds, netmask } = completeSettings(service);
  if (scheduler.length < 1 || scheduler.length > MAX_SCHEDULER_LENGTH) {
    throw new RangeError(
      `scheduler "${scheduler}" of ${serviceName(service)}: 1 to ${MAX_SCHEDULER_LENGTH} characters are allowed`,
    );
  }
  checkInteger(persistenceTimeoutSeconds, 0, 0xffffffff, () => `persistence timeout of ${serviceName(service)}`);
  if (service.family === 'ipv4') checkInteger(netmask, 0, 0xffffffff, () => `netmask of ${serviceName(service)}`);
  else checkInteger(netmask, 1, 128, () => `prefix length of ${serviceName(service)}`);
  encoder.nest(commandAttributes.service, () => {
    putKeyAttributes(encoder, service);
    encoder.string(a.scheduler, scheduler);
    // struct ip_vs_flags {u32 flags; u32 mask}: all bits are set as given.
    encoder.u32pair(a.flags, flags >>> 0, 0xffffffff);
    encoder.u32(a.timeout, persistenceTimeoutSeconds);
    // A mask in network order, but a prefix length in host order.
    if (service.family === 'ipv4') encoder.u32be(a.netmask, netmask);
    else encoder.u32(a.netmask, netmask);
    if (persistenceEngine !== undefined) encoder.string(a.persistenceEngine, persistenceEngine);
  });
}

function putKeyAttributes(encoder: Encoder, key: IpvsServiceKey): void {
  encoder.u16(a.addressFamily, familyNumber(key.family));
  if (key.fwmark) {
    encoder.u32(a.fwmark, key.fwmark);
    return;
  }
  const protocol = protocolNumbers[key.protocol];
  // The kernel accepts any number here, and then such a service is beyond what is shown.
  if (protocol === undefined) throw new TypeError(`"${key.protocol}" is not a protocol of IPVS: tcp, udp or sctp`);
  checkInteger(key.port, 0, 0xffff, () => `port of service ${key.address}`);
  encoder.u16(a.protocol, protocol);
  putAddress(encoder, a.address, key.address, key.family);
  encoder.u16be(a.port, key.port);
}

/**
 * The service in an answer, without the kernel's own flag (HASHED). undefined for protocols other than TCP, UDP and
 * SCTP, which IPVS stores but never forwards. Statistics are most of the work: they may be left out.
 */
export function decodeService(message: Attributes, { withStats = true } = {}): IpvsService | undefined {
  const attributes = message.nest(commandAttributes.service);
  const family = familyName(attributes?.u16(a.addressFamily) ?? 0);
  if (!attributes || !family) throw new MalformedMessageError('an IPVS service without address family');
  const fwmark = attributes.u32(a.fwmark);
  const protocol = fwmark ? 'tcp' : protocolNames.get(attributes.u16(a.protocol) ?? 0);
  if (!protocol) return undefined;
  const address = attributes.binary(a.address);
  const netmask = family === 'ipv4' ? attributes.u32be(a.netmask) : attributes.u32(a.netmask);
  const persistenceEngine = attributes.string(a.persistenceEngine);
  const stats = withStats ? decodeStats(attributes, a.stats, a.stats64) : undefined;
  const service: IpvsService = {
    family,
    protocol,
    address: address ? decodeAddress(address, family) : anyAddress(family),
    port: attributes.u16be(a.port) ?? 0,
    scheduler: attributes.string(a.scheduler) ?? '',
    flags: ((attributes.binary(a.flags, 4)?.readUInt32LE(0) ?? 0) & ~SERVICE_FLAG_HASHED) >>> 0,
    persistenceTimeoutSeconds: attributes.u32(a.timeout) ?? 0,
    netmask: netmask ?? fullNetmask(family),
  };
  if (fwmark) service.fwmark = fwmark;
  if (persistenceEngine) service.persistenceEngine = persistenceEngine;
  if (stats) service.stats = stats;
  return service;
}
