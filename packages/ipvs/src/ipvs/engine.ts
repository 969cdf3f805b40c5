/**
 * The engine on the kernel's IP Virtual Server, by generic netlink, in the director's network namespace.
 *
 * Real servers are reached by masquerading (IPVS NAT): NodePorts differ from the Service's ports. The source address
 * is the director's affair (SNAT to the VIP, director/firewall.ts), which needs net.ipv4.vs.conntrack.
 */
import {
  Ipvs,
  type IpvsDestination,
  type IpvsOperation,
  type IpvsOperationError,
  type IpvsService,
  sameServiceSettings,
} from '@fairlead/netlink';
import type { Operation } from '../diff.js';
import { ensureSysctls, ipvsSysctls } from '../director/sysctls.js';
import { type Engine, type Flow, keyOf, plainRealServer, type Reading } from '../engine.js';
import { ForwardingError } from '../errors.js';
import {
  endpoint,
  type VirtualServer,
  type VirtualServerKey,
  type VirtualServerStats,
  virtualServerName,
} from '../forwarder.js';
import type { Log } from '../log.js';
import { sortVirtualServers } from '../order.js';
import { effectiveFlags, fromIpvsService, toIpvsKey, toIpvsService } from './service.js';

/** IPVS forgets an idle connection after 15 minutes; what applications rely on is the two hours of TCP keepalive. */
const TCP_TIMEOUT_SECONDS = 7200;

export class IpvsEngine implements Engine {
  readonly kind = 'ipvs';
  readonly ordered = true;
  readonly #netns: string;
  readonly #log: Log;
  readonly #ipvs: Ipvs;
  /** Undoes what we never write: firewall-mark services, flags, other ways of forwarding. */
  #repairs: IpvsOperation[] = [];

  /** `netns`: the director. Throws IpvsError FL_NO_IPVS when the kernel has no ip_vs. */
  constructor(netns: string, log: Log) {
    this.#netns = netns;
    this.#log = log;
    this.#ipvs = new Ipvs({ netns });
  }

  normalize(server: VirtualServer): VirtualServer {
    const { sourceRanges: _, flags, ...rest } = server;
    const effective = effectiveFlags(server.scheduler, flags);
    return effective.length > 0 ? { ...rest, flags: effective } : rest;
  }

  /** `dh` has no fallback: what it hashes to a real server of weight 0 it refuses. */
  canDrain({ protocol, scheduler }: VirtualServer): boolean {
    return protocol !== 'udp' && scheduler !== 'dh';
  }

  /** Settings of this namespace, which exist only once ip_vs is loaded. */
  prepare(): number {
    const changes = ensureSysctls(this.#netns, ipvsSysctls, this.#log);
    const { tcp } = this.#ipvs.getTimeouts();
    if (tcp === TCP_TIMEOUT_SECONDS) return changes;
    this.#ipvs.setTimeouts({ tcp: TCP_TIMEOUT_SECONDS });
    this.#log.info({ netns: this.#netns, before: tcp, seconds: TCP_TIMEOUT_SECONDS }, 'IPVS TCP timeout changed');
    return changes + 1;
  }

  read(): Reading {
    const virtualServers: VirtualServer[] = [];
    this.#repairs = [];
    for (const { service, destinations } of this.#list()) {
      if (service.fwmark) {
        this.#repairs.push({ kind: 'delete-service', service });
        continue;
      }
      const settings = fromIpvsService(service);
      const wanted = toIpvsService(settings);
      if (!sameServiceSettings(service, wanted)) this.#repairs.push({ kind: 'set-service', service: wanted });
      for (const destination of destinations) {
        if (isPlain(destination)) continue;
        this.#repairs.push({ kind: 'set-destination', service: wanted, destination: plainRealServer(destination) });
      }
      // The kernel lists the newest first.
      virtualServers.push({ ...settings, realServers: destinations.map(plainRealServer).reverse() });
    }
    return { virtualServers, repairs: this.#repairs.length };
  }

  apply(operations: readonly Operation[]): void {
    const all = [...this.#repairs, ...operations.flatMap(toIpvs)];
    this.#repairs = [];
    const failures = this.#ipvs.apply(all);
    if (failures.length > 0) throw refused(failures, all.length);
  }

  connections(services: readonly VirtualServerKey[]): Map<string, ReadonlyMap<string, number>> {
    return new Map(
      services.map((service) => {
        const counts = this.#ipvs
          .destinations(toIpvsKey(service))
          .map(
            ({ address, port, activeConnections, inactiveConnections }) =>
              [endpoint(address, port), activeConnections + inactiveConnections] as const,
          );
        return [virtualServerName(service), new Map(counts)];
      }),
    );
  }

  forget(_flows: readonly Flow[]): void {}

  stats(): VirtualServerStats[] {
    const servers = this.#list().map(({ service, destinations }) => ({
      ...keyOf(service),
      scheduler: service.scheduler,
      realServers: destinations.map(statsOf),
    }));
    return sortVirtualServers(servers);
  }

  close(): void {
    this.#ipvs.close();
  }

  #list(): { service: IpvsService; destinations: IpvsDestination[] }[] {
    return this.#ipvs.services().map((service) => ({ service, destinations: this.#ipvs.destinations(service) }));
  }
}

/** As we write it: NAT, without thresholds. */
function isPlain({ forwarding, upperThreshold, lowerThreshold }: IpvsDestination): boolean {
  return forwarding === 'masquerade' && upperThreshold === 0 && lowerThreshold === 0;
}

function statsOf(destination: IpvsDestination): VirtualServerStats['realServers'][number] {
  const { activeConnections, inactiveConnections, stats } = destination;
  return {
    ...plainRealServer(destination),
    connections: stats?.connections ?? 0n,
    activeConnections,
    inactiveConnections,
    inPackets: stats?.inPackets ?? 0n,
    outPackets: stats?.outPackets ?? 0n,
    inBytes: stats?.inBytes ?? 0n,
    outBytes: stats?.outBytes ?? 0n,
  };
}

function toIpvs(operation: Operation): IpvsOperation[] {
  switch (operation.kind) {
    case 'add-service':
    case 'set-service':
      return [{ kind: operation.kind, service: toIpvsService(operation.service) }];
    case 'delete-service':
      return [{ kind: operation.kind, service: toIpvsKey(operation.service) }];
    case 'move-destination': {
      const { destination } = operation;
      const service = toIpvsKey(operation.service);
      return [
        { kind: 'delete-destination', service, destination },
        { kind: 'add-destination', service, destination },
      ];
    }
    case 'add-destination':
    case 'set-destination':
    case 'delete-destination':
      return [{ ...operation, service: toIpvsKey(operation.service) }];
  }
}

function refused(failures: readonly IpvsOperationError[], of: number): ForwardingError {
  const first = failures[0]!.error;
  return new ForwardingError(
    'FL_PARTLY_APPLIED',
    `${failures.length} of ${of} changes of virtual servers were refused, first: ${first.message}`,
    { cause: first },
  );
}
