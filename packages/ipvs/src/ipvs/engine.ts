/**
 * The engine on the kernel's IP Virtual Server, by generic netlink, in the director's network namespace.
 *
 * Real servers are reached by masquerading (IPVS NAT): NodePorts differ from the Service's ports. The source address
 * is the director's affair (SNAT to the VIP, director/firewall.ts), which needs net.ipv4.vs.conntrack.
 */
import {
  Ipvs,
  type IpvsDestination,
  type IpvsError,
  type IpvsOperation,
  type IpvsOperationError,
  type IpvsService,
} from '@fairlead/netlink';
import type { Operation } from '../diff.js';
import { type Engine, keyOf, plainRealServer, type Reading, type Refusal } from '../engine.js';
import { ForwardingError } from '../errors.js';
import type { Flow, FlowCounts } from '../flows.js';
import {
  endpoint,
  type RealServer,
  type VirtualServer,
  type VirtualServerStats,
  virtualServerName,
} from '../forwarder.js';
import type { Log } from '../log.js';
import { sortVirtualServers } from '../order.js';
import { effectiveFlags, fromIpvsService, isAsWritten, toIpvsKey, toIpvsService } from './service.js';
import { DirectorIpvsSettings, type IpvsSettings } from './settings.js';

export class IpvsEngine implements Engine {
  readonly kind = 'ipvs';
  readonly ordered = true;
  readonly #ipvs: Ipvs;
  readonly #settings: IpvsSettings;
  /** Undoes what we never write: firewall-mark services, flags, other ways of forwarding. */
  #repairs: IpvsOperation[] = [];

  constructor(ipvs: Ipvs, settings: IpvsSettings) {
    this.#ipvs = ipvs;
    this.#settings = settings;
  }

  /** In a director. `ipvs`: open already. Throws IpvsError FL_NO_IPVS when the kernel has no ip_vs. */
  static open(netns: string, log: Log, ipvs: Ipvs = new Ipvs({ netns })): IpvsEngine {
    return new IpvsEngine(ipvs, new DirectorIpvsSettings(netns, ipvs, log));
  }

  normalize(server: VirtualServer): VirtualServer {
    const { flags = [], scheduler } = server;
    const effective = effectiveFlags(scheduler, flags);
    if (effective.join() === flags.join()) return server;
    const { flags: _, ...rest } = server;
    return effective.length > 0 ? { ...rest, flags: effective } : rest;
  }

  /** `dh` has no fallback: what it hashes to a real server of weight 0 it refuses. */
  canDrain({ protocol, scheduler }: VirtualServer): boolean {
    return protocol !== 'udp' && scheduler !== 'dh';
  }

  prepare(): number {
    return this.#settings.ensure();
  }

  /** A thorough reading asks for each virtual server: only there are thresholds to be seen. */
  read({ thorough }: { thorough: boolean }): Reading {
    const virtualServers: VirtualServer[] = [];
    this.#repairs = [];
    for (const { service, destinations } of thorough ? this.#list() : this.#ipvs.table()) {
      if (service.fwmark) {
        this.#repairs.push({ kind: 'delete-service', service });
        continue;
      }
      const settings = fromIpvsService(service);
      if (!isAsWritten(service)) this.#repairs.push({ kind: 'set-service', service: toIpvsService(settings) });
      const realServers: RealServer[] = [];
      for (const destination of destinations) {
        const realServer = plainRealServer(destination);
        realServers.push(realServer);
        if (isPlain(destination)) continue;
        this.#repairs.push({ kind: 'set-destination', service, destination: realServer });
      }
      // The kernel lists the newest first.
      virtualServers.push({ ...settings, realServers: realServers.reverse() });
    }
    return { virtualServers, repairs: this.#repairs.length };
  }

  apply(operations: readonly Operation[]): Refusal[] {
    const repairs = this.#repairs.map((change) => ({ change }));
    this.#repairs = [];
    const lastMove = operations.findLastIndex(({ kind }) => kind === 'move-destination');
    const upToMoves = [...repairs, ...operations.slice(0, lastMove + 1).flatMap(toChanges)];
    const others = operations.slice(lastMove + 1).flatMap(toChanges);
    if (lastMove < 0) return this.#send([...upToMoves, ...others]);
    const refusals: Refusal[] = [];
    this.#settings.keepingConnections(() => refusals.push(...this.#send(upToMoves)));
    return [...refusals, ...this.#send(others)];
  }

  /** IPVS's own counts, of the virtual servers that are named. */
  connections(flows: readonly Flow[]): FlowCounts {
    const services = new Map(flows.map(({ service }) => [virtualServerName(service), service]));
    return new Map(
      [...services].map(([name, service]) => {
        const destinations = this.#ipvs.destinations(toIpvsKey(service));
        return [name, new Map(destinations.map((real) => [endpoint(real.address, real.port), connectionsOf(real)]))];
      }),
    );
  }

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

  #send(changes: readonly Change[]): Refusal[] {
    if (changes.length === 0) return [];
    const failures = this.#ipvs.apply(changes.map(({ change }) => change));
    return failures.map(({ index, error }) => {
      const { operation } = changes[index]!;
      const drift = isDrift(error);
      // What is refused whatever it says (EPERM, no IPVS any more), and repairs of what changes meanwhile.
      if (!operation || !(drift || isItsOwn(error))) throw refused(failures, changes.length);
      return { operation, error, drift };
    });
  }

  #list(): { service: IpvsService; destinations: IpvsDestination[] }[] {
    return this.#ipvs.services().map((service) => ({ service, destinations: this.#ipvs.destinations(service) }));
  }
}

function connectionsOf({ activeConnections, inactiveConnections }: IpvsDestination): number {
  return activeConnections + inactiveConnections;
}

/** As we write it: NAT, and, as far as is known, without thresholds. */
function isPlain({
  forwarding,
  upperThreshold = 0,
  lowerThreshold = 0,
}: Pick<IpvsDestination, 'forwarding'> & Partial<IpvsDestination>): boolean {
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

/** One message, and what it is for: nothing where it is a repair. */
interface Change {
  change: IpvsOperation;
  operation?: Operation;
}

function toChanges(operation: Operation): Change[] {
  return toIpvs(operation).map((change) => ({ change, operation }));
}

function isDrift({ problem }: IpvsError): boolean {
  return problem === 'exists' || problem === 'no-service' || problem === 'no-destination';
}

/** A scheduler that this kernel has not, an address that can be no real server, ... */
function isItsOwn({ problem, code }: IpvsError): boolean {
  return problem === 'no-scheduler' || code === 'EINVAL' || code === 'ERANGE' || code === 'EAFNOSUPPORT';
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
