/** What IPVS holds, as this package shows it, and how its things are named in messages. */
import type { Family } from '../ip.js';
import { ipvsServiceFlags, SERVICE_FLAG_HASHED } from './constants.js';

export type IpvsProtocol = 'tcp' | 'udp' | 'sctp';

export interface IpvsServiceKey {
  family: Family;
  protocol: IpvsProtocol;
  address: string;
  /** 0 = all ports, which needs persistence. */
  port: number;
  /**
   * If present (and not 0) the service takes packets with this firewall mark, and protocol, address and port say
   * nothing: services() shows 'tcp', 0.0.0.0 or ::, and 0.
   */
  fwmark?: number;
}

/** A service as it is given to the kernel; what is left out has a default. */
export interface IpvsServiceOptions extends IpvsServiceKey {
  /** 'rr', 'wlc', 'mh', ...: at most 15 characters. The kernel loads module ip_vs_NAME. */
  scheduler: string;
  /** ipvsServiceFlags; 0 by default. */
  flags?: number;
  /** How long a client keeps its real server after its last connection; 0 (default) = no persistence. */
  persistenceTimeoutSeconds?: number;
  /**
   * Which clients count as one for persistence. IPv4: a mask such as 0xffffff00, all ones by default. IPv6: a prefix
   * length from 1 to 128, 128 by default.
   */
  netmask?: number;
  /** 'sip' or none. */
  persistenceEngine?: string;
}

/** A service as the kernel has it. */
export interface IpvsService extends IpvsServiceOptions {
  flags: number;
  persistenceTimeoutSeconds: number;
  netmask: number;
  stats?: IpvsStats;
}

export interface IpvsDestinationKey {
  /** May be of the other family than the service's if the forwarding is 'tunnel'. */
  address: string;
  port: number;
}

export type IpvsTunnelType = 'ipip' | 'gue' | 'gre';
export type IpvsTunnelChecksum = 'none' | 'full' | 'remote';

export interface IpvsDestinationOptions extends IpvsDestinationKey {
  /** From 0 (no new connections) to 2147483647. */
  weight: number;
  /** 'masquerade' by default. */
  forwarding?: 'masquerade' | 'tunnel' | 'direct';
  /** No new connections from so many on; 0 (default) = no limit. */
  upperThreshold?: number;
  /** New connections again below so many; 0 (default) = three quarters of upperThreshold. */
  lowerThreshold?: number;
  /** For forwarding 'tunnel'; IPIP by default. */
  tunnel?: { type: IpvsTunnelType; port?: number; checksum?: IpvsTunnelChecksum };
}

export interface IpvsDestination extends Omit<IpvsDestinationOptions, 'forwarding'> {
  /** 'local', 'bypass' and 'unknown' only if another program has put them there. */
  forwarding: 'masquerade' | 'local' | 'tunnel' | 'direct' | 'bypass' | 'unknown';
  upperThreshold: number;
  lowerThreshold: number;
  /** Established connections (TCP: also those being opened). */
  activeConnections: number;
  /** All others that the kernel remembers, TIME_WAIT and UDP for example. */
  inactiveConnections: number;
  persistentConnections: number;
  stats?: IpvsStats;
}

/** What Ipvs.table() says of a destination. */
export type IpvsTableDestination = Pick<
  IpvsDestination,
  'address' | 'port' | 'weight' | 'forwarding' | 'activeConnections' | 'inactiveConnections'
>;

export interface IpvsTableEntry {
  /** Without `stats`. */
  service: IpvsService;
  /** In the kernel's order, newest first. */
  destinations: IpvsTableDestination[];
}

/**
 * The kernel adds these up every two seconds: a connection shows that much later. Where sysctl
 * net.ipv4.vs.run_estimation is 0 they stand still.
 */
export interface IpvsStats {
  connections: bigint;
  inPackets: bigint;
  outPackets: bigint;
  inBytes: bigint;
  outBytes: bigint;
  /** Rates are the kernel's estimates over the last seconds. */
  connectionsPerSecond: number;
  inPacketsPerSecond: number;
  outPacketsPerSecond: number;
  inBytesPerSecond: number;
  outBytesPerSecond: number;
}

/** The thread that sends connections to other directors (master) or receives them (backup). */
export interface IpvsDaemon {
  state: 'master' | 'backup';
  interface: string;
  /** From 0 to 255; a backup with 0 accepts every one. */
  syncId: number;
  /** Largest datagram in bytes; by the interface's MTU by default. */
  maxLength?: number;
  /** Multicast group, 224.0.0.81 by default. */
  group?: string;
  /** UDP port, 8848 by default. */
  port?: number;
  /** 1 by default. */
  ttl?: number;
}

/** Idle time in seconds after which a connection is forgotten. */
export interface IpvsTimeouts {
  tcp: number;
  /** After a FIN. */
  tcpFin: number;
  udp: number;
}

export interface IpvsInfo {
  /** Of IPVS itself: '1.2.1'. */
  version: string;
  /** Buckets of the connection table. */
  connectionTableSize: number;
}

/** One change for Ipvs.apply. */
export type IpvsOperation =
  | { kind: 'add-service' | 'set-service'; service: IpvsServiceOptions }
  /** Deletes its destinations with it. */
  | { kind: 'delete-service'; service: IpvsServiceKey }
  | {
      kind: 'add-destination' | 'set-destination';
      service: IpvsServiceKey;
      destination: IpvsDestinationOptions;
    }
  | { kind: 'delete-destination'; service: IpvsServiceKey; destination: IpvsDestinationKey };

/** The service with its defaults in place, as services() will show it: for comparisons. */
export function completeService(service: IpvsServiceOptions): IpvsService {
  return { ...service, ...completeSettings(service) };
}

/** What of a service has a default. */
export function completeSettings(
  service: IpvsServiceOptions,
): Pick<IpvsService, 'flags' | 'persistenceTimeoutSeconds' | 'netmask'> {
  const persistenceTimeoutSeconds = service.persistenceTimeoutSeconds ?? 0;
  const flags = ((service.flags ?? 0) & ~SERVICE_FLAG_HASHED) >>> 0;
  return {
    flags: persistenceTimeoutSeconds > 0 ? flags | ipvsServiceFlags.persistent : flags,
    persistenceTimeoutSeconds,
    netmask: service.netmask ?? fullNetmask(service.family),
  };
}

/** Each client counts for itself. */
export function fullNetmask(family: Family): number {
  return family === 'ipv4' ? 0xffffffff : 128;
}

/** True if setting the service to `wanted` would change nothing in what the kernel has. The keys are not compared. */
export function sameServiceSettings(actual: IpvsService, wanted: IpvsServiceOptions): boolean {
  const complete = completeSettings(wanted);
  return (
    actual.scheduler === wanted.scheduler &&
    actual.flags === complete.flags &&
    actual.persistenceTimeoutSeconds === complete.persistenceTimeoutSeconds &&
    actual.netmask === complete.netmask &&
    (actual.persistenceEngine ?? '') === (wanted.persistenceEngine ?? '')
  );
}

/** `10.0.0.100:80/tcp`, `[2001:db8::1]:53/udp`, `ipv4 fwmark 5`: equal for equal keys only, if addresses are canonical. */
export function serviceName(key: IpvsServiceKey): string {
  if (key.fwmark) return `${key.family} fwmark ${key.fwmark}`;
  return `${endpointName(key)}/${key.protocol}`;
}

/** `10.0.0.2:30080`, `[2001:db8::2]:30080`. */
export function endpointName({ address, port }: { address: string; port: number }): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
