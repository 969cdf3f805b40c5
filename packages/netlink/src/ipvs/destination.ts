/** Destinations, that is real servers (IPVS_DEST_ATTR_*). */
import type { Attributes, Encoder } from '../attribute.js';
import { checkInteger } from '../check.js';
import { MalformedMessageError } from '../errors.js';
import { decodeAddress, type Family, familyName, familyNumber, putAddress } from '../ip.js';
import { destinationAttributes as a, commandAttributes } from './constants.js';
import { decodeStats } from './statistics.js';
import {
  endpointName,
  type IpvsDestination,
  type IpvsDestinationKey,
  type IpvsDestinationOptions,
  type IpvsTunnelChecksum,
  type IpvsTunnelType,
} from './types.js';

const FORWARDING_MASK = 7;
/** IP_VS_CONN_F_MASQ, LOCALNODE, TUNNEL, DROUTE, BYPASS: by number. */
const forwardings = ['masquerade', 'local', 'tunnel', 'direct', 'bypass'] as const;
const tunnelTypes: readonly IpvsTunnelType[] = ['ipip', 'gue', 'gre'];
const tunnelChecksums: readonly IpvsTunnelChecksum[] = ['none', 'full', 'remote'];
const MAX_WEIGHT = 0x7fffffff;

export function putDestinationKey(encoder: Encoder, key: IpvsDestinationKey, serviceFamily: Family): void {
  encoder.nest(commandAttributes.destination, () => {
    putKeyAttributes(encoder, key);
    putFamily(encoder, key, serviceFamily);
  });
}

export function putDestination(encoder: Encoder, destination: IpvsDestinationOptions, serviceFamily: Family): void {
  const { weight, forwarding = 'masquerade', upperThreshold = 0, lowerThreshold = 0, tunnel } = destination;
  checkInteger(weight, 0, MAX_WEIGHT, () => `weight of destination ${endpointName(destination)}`);
  checkInteger(upperThreshold, 0, 0xffffffff, () => `upper threshold of destination ${endpointName(destination)}`);
  checkInteger(lowerThreshold, 0, 0xffffffff, () => `lower threshold of destination ${endpointName(destination)}`);
  encoder.nest(commandAttributes.destination, () => {
    putKeyAttributes(encoder, destination);
    encoder.u32(a.forwarding, forwardings.indexOf(forwarding));
    encoder.u32(a.weight, weight);
    encoder.u32(a.upperThreshold, upperThreshold);
    encoder.u32(a.lowerThreshold, lowerThreshold);
    putFamily(encoder, destination, serviceFamily);
    if (tunnel) {
      encoder.u8(a.tunnelType, tunnelTypes.indexOf(tunnel.type));
      encoder.u16be(a.tunnelPort, tunnel.port ?? 0);
      encoder.u16(a.tunnelFlags, tunnelChecksums.indexOf(tunnel.checksum ?? 'none'));
    }
  });
}

function putKeyAttributes(encoder: Encoder, key: IpvsDestinationKey): void {
  checkInteger(key.port, 0, 0xffff, () => `port of destination ${key.address}`);
  putAddress(encoder, a.address, key.address, apparentFamily(key.address));
  encoder.u16be(a.port, key.port);
}

/** Of an address that is being encoded, which checks it. */
function apparentFamily(address: string): Family {
  return address.includes(':') ? 'ipv6' : 'ipv4';
}

/** Kernels before 3.18 do not know the attribute, and no family but the service's. */
function putFamily(encoder: Encoder, key: IpvsDestinationKey, serviceFamily: Family): void {
  const family = apparentFamily(key.address);
  if (family !== serviceFamily) encoder.u16(a.addressFamily, familyNumber(family));
}

/** The destination in an answer. */
export function decodeDestination(message: Attributes, serviceFamily: Family): IpvsDestination {
  const attributes = message.nest(commandAttributes.destination);
  const address = attributes?.binary(a.address);
  if (!attributes || !address) throw new MalformedMessageError('an IPVS destination without address');
  const family = familyName(attributes.u16(a.addressFamily) ?? familyNumber(serviceFamily));
  if (!family) throw new MalformedMessageError('an IPVS destination of an unknown address family');
  const forwarding = forwardings[(attributes.u32(a.forwarding) ?? 0) & FORWARDING_MASK] ?? 'unknown';
  const stats = decodeStats(attributes, a.stats, a.stats64);
  const tunnelType = tunnelTypes[attributes.u8(a.tunnelType) ?? 0];
  const destination: IpvsDestination = {
    address: decodeAddress(address, family),
    port: attributes.u16be(a.port) ?? 0,
    weight: attributes.s32(a.weight) ?? 0,
    forwarding,
    upperThreshold: attributes.u32(a.upperThreshold) ?? 0,
    lowerThreshold: attributes.u32(a.lowerThreshold) ?? 0,
    activeConnections: attributes.u32(a.activeConnections) ?? 0,
    inactiveConnections: attributes.u32(a.inactiveConnections) ?? 0,
    persistentConnections: attributes.u32(a.persistentConnections) ?? 0,
  };
  if (forwarding === 'tunnel' && tunnelType) {
    destination.tunnel = {
      type: tunnelType,
      port: attributes.u16be(a.tunnelPort) ?? 0,
      checksum: tunnelChecksums[attributes.u16(a.tunnelFlags) ?? 0] ?? 'none',
    };
  }
  if (stats) destination.stats = stats;
  return destination;
}
