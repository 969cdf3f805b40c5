/**
 * What a forwarder is: the part that makes the director's kernel match the desired virtual servers.
 *
 * There are two, behind this one interface: `ipvs` (the kernel's IP Virtual Server) and `nftables` (for kernels
 * without ip_vs). Neither touches VIP addresses, SNAT or the firewall: those are the director's own (director.ts),
 * the same for both. Everything inside a director's namespace belongs to Fairlead, so a virtual server that is not
 * desired is deleted, whoever made it.
 */
export type Protocol = 'tcp' | 'udp' | 'sctp';

/** Where a virtual server forwards to. `address` in canonical text form; `weight` 0 means: no new connections. */
export interface RealServer {
  address: string;
  port: number;
  weight: number;
}

export interface VirtualServerKey {
  /** The VIP, in canonical text form. */
  address: string;
  port: number;
  protocol: Protocol;
}

/** As `ipvsadm -b` names them. */
export type SchedulerFlag = 'sh-fallback' | 'sh-port' | 'mh-fallback' | 'mh-port';

export interface VirtualServer extends VirtualServerKey {
  /** An IPVS scheduler name (`rr`, `wrr`, `mh`, ...). */
  scheduler: string;
  /** Ascending; absent: none. */
  flags?: readonly SchedulerFlag[];
  /** For how long a client stays with its real server, seconds; absent: it does not. */
  persistenceSeconds?: number;
  /** Who may connect: canonical CIDRs, ascending; absent: everyone. The firewall's affair, not the forwarder's. */
  sourceRanges?: readonly string[];
  /** In canonical order (see `order.ts`): the `mh` scheduler builds its table in list order. */
  realServers: RealServer[];
}

export interface DesiredState {
  /** Every VIP of this node's pools that is in use, with or without virtual servers, in canonical order. */
  vips: string[];
  virtualServers: VirtualServer[];
  /**
   * Addresses of real servers that do not answer: what is removed there is deleted at once, because waiting for its
   * connections to end would only make their clients wait. Absent: none.
   */
  dead?: ReadonlySet<string>;
}

/** The difference between two desired states, as far as it was announced: work in proportion to it. */
export interface DesiredChange {
  /** New virtual servers, and those that changed, whole. */
  changed: VirtualServer[];
  removed: VirtualServerKey[];
  addedVips: string[];
  removedVips: string[];
  /** As in DesiredState, whole. */
  dead?: ReadonlySet<string>;
}

export interface SyncResult {
  /** How many entries (virtual server, real server, address, ...) were written; 0 when the kernel already matched. */
  operations: number;
}

export interface RealServerStats {
  address: string;
  port: number;
  /** 0 also where it is being drained. */
  weight: number;
  /** Connections scheduled to this real server since it was added. */
  connections: bigint;
  /** What only IPVS counts: connections now (established, and all others that it remembers), and traffic. */
  activeConnections?: number;
  inactiveConnections?: number;
  inPackets?: bigint;
  outPackets?: bigint;
  inBytes?: bigint;
  outBytes?: bigint;
}

export interface VirtualServerStats extends VirtualServerKey {
  scheduler: string;
  realServers: RealServerStats[];
}

export interface RefusedServer {
  virtualServer: VirtualServerKey;
  /** What was attempted, on what, and why the kernel refused it. */
  message: string;
}

/**
 * Synchronous throughout: netlink answers within the call. Not safe for use from two processes at once.
 *
 * Draining: a real server that is no longer desired, and not among the `dead`, gets no new connections, but stays until
 * its connections have ended, or until a timeout. It stays in the kernel with weight 0: that is how it outlives a
 * restart. One of a UDP virtual server goes at once, and its clients' next datagrams go elsewhere; a dead one goes at
 * once, and its clients are told so by a reset. When it is desired again, it gets its weight again.
 */
export interface Forwarder {
  readonly kind: 'ipvs' | 'nftables';
  /** How many real servers are being drained. */
  readonly draining: number;
  /** Whether `tend` wants to be called: something drains, or was put off because it was much at once. */
  readonly unfinished: boolean;
  /** Virtual servers that are not, or not wholly, as desired, because the kernel refuses something of them. */
  readonly refused: readonly RefusedServer[];
  /**
   * Makes the kernel hold exactly `desired.virtualServers` (and what drains), sending only what differs. The first
   * call compares with the kernel, so that a restarted process adopts what it finds; later ones with what the last
   * reading or writing left. What the kernel refuses of single virtual servers keeps none of the others from being
   * programmed, and is in `refused` afterwards; it is tried again by each audit. Throws ForwardingError
   * FL_PARTLY_APPLIED, NetlinkError, NftError when nothing can be done; the next call then reads the kernel again.
   */
  sync(desired: DesiredState): SyncResult;
  /** Applies a change of what the last `sync` (and the updates since) desired: work in proportion to the change. */
  update(change: DesiredChange): SyncResult;
  /**
   * Reads the kernel, compares it with what was desired last, and repairs it; the first time, and each tenth time after it, all that there is to
   * read. `repaired`: how many entries that were.
   */
  audit(): { repaired: number };
  /**
   * Ends the drains whose connections are gone or whose time is up, and goes on with what was put off. `nowMs`: of any
   * clock that does not go back. To be called about every second while something is `unfinished`; a drain's time counts
   * from the first call after it began.
   */
  tend(nowMs: number): { draining: number };
  /** What the kernel holds now, draining real servers (weight 0) included, in canonical order. */
  read(): VirtualServer[];
  /** Per real server: how many connections it was given. IPVS adds its counters up every 2 s: they lag that much. */
  stats(): VirtualServerStats[];
  /** Gives up the sockets. What is programmed keeps forwarding. */
  close(): void;
}

/** `tcp 10.77.0.200:80`, `tcp [2001:db8::1]:80`: how a virtual server is named in logs and errors, and keyed in maps. */
export function virtualServerName(key: VirtualServerKey): string {
  return `${key.protocol} ${endpoint(key.address, key.port)}`;
}

/** `10.77.0.11:30080`, `[2001:db8::11]:30080` */
export function endpoint(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

export function familyOf(address: string): 'ipv4' | 'ipv6' {
  return address.includes(':') ? 'ipv6' : 'ipv4';
}
