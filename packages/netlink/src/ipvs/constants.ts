/** Numbers of linux/ip_vs.h. */
export const IPVS_FAMILY_NAME = 'IPVS';

export const commands = {
  newService: 1,
  setService: 2,
  deleteService: 3,
  getService: 4,
  newDestination: 5,
  setDestination: 6,
  deleteDestination: 7,
  getDestination: 8,
  newDaemon: 9,
  deleteDaemon: 10,
  getDaemon: 11,
  setConfig: 12,
  getConfig: 13,
  setInfo: 14,
  getInfo: 15,
  zero: 16,
  flush: 17,
} as const;

/** Attributes of a command. */
export const commandAttributes = {
  service: 1,
  destination: 2,
  daemon: 3,
  timeoutTcp: 4,
  timeoutTcpFin: 5,
  timeoutUdp: 6,
} as const;

/** Attributes of the answer to getInfo. */
export const infoAttributes = { version: 1, connectionTableSize: 2 } as const;

export const serviceAttributes = {
  addressFamily: 1,
  protocol: 2,
  address: 3,
  port: 4,
  fwmark: 5,
  scheduler: 6,
  flags: 7,
  timeout: 8,
  netmask: 9,
  stats: 10,
  persistenceEngine: 11,
  stats64: 12,
} as const;

export const destinationAttributes = {
  address: 1,
  port: 2,
  forwarding: 3,
  weight: 4,
  upperThreshold: 5,
  lowerThreshold: 6,
  activeConnections: 7,
  inactiveConnections: 8,
  persistentConnections: 9,
  stats: 10,
  addressFamily: 11,
  stats64: 12,
  tunnelType: 13,
  tunnelPort: 14,
  tunnelFlags: 15,
} as const;

export const daemonAttributes = {
  state: 1,
  interface: 2,
  syncId: 3,
  maxLength: 4,
  group: 5,
  group6: 6,
  port: 7,
  ttl: 8,
} as const;

export const statsAttributes = {
  connections: 1,
  inPackets: 2,
  outPackets: 3,
  inBytes: 4,
  outBytes: 5,
  connectionsPerSecond: 6,
  inPacketsPerSecond: 7,
  outPacketsPerSecond: 8,
  inBytesPerSecond: 9,
  outBytesPerSecond: 10,
} as const;

/** The bits of IpvsService.flags. What the upper three mean depends on the scheduler. */
export const ipvsServiceFlags = {
  /** One client keeps its real server for persistenceTimeoutSeconds. Follows from that field. */
  persistent: 0x1,
  /** UDP: schedule each datagram anew. */
  onePacket: 0x4,
  /** sh and mh: when the hash meets a real server of weight 0, take another one instead of refusing. */
  shFallback: 0x8,
  mhFallback: 0x8,
  /** sh and mh: hash the client's port too. */
  shPort: 0x10,
  mhPort: 0x10,
} as const;

/** IP_VS_SVC_F_HASHED: the kernel's own, set in every answer. */
export const SERVICE_FLAG_HASHED = 0x2;
