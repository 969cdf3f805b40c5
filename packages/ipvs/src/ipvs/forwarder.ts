/**
 * The forwarder on the kernel's IP Virtual Server, by generic netlink, in the director's network namespace.
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
  type IpvsServiceKey,
  sameServiceSettings,
} from '@fairlead/netlink';
import { diff, type Operation } from '../diff.js';
import { ensureSysctls, ipvsSysctls } from '../director/sysctls.js';
import { ForwardingError } from '../errors.js';
import {
  type DesiredState,
  type Forwarder,
  familyOf,
  type SyncResult,
  type VirtualServer,
  type VirtualServerKey,
  type VirtualServerStats,
} from '../forwarder.js';
import type { Log } from '../log.js';
import { sortVirtualServers } from '../order.js';

/** IPVS forgets an idle connection after 15 minutes; what applications rely on is the two hours of TCP keepalive. */
const TCP_TIMEOUT_SECONDS = 7200;

interface Kernel {
  servers: VirtualServer[];
  /** Undoes what we never write: firewall-mark services, flags, other ways of forwarding. */
  repairs: IpvsOperation[];
}

export class IpvsForwarder implements Forwarder {
  readonly kind = 'ipvs';
  readonly #netns: string;
  readonly #log: Log;
  readonly #ipvs: Ipvs;
  #prepared = false;
  /** What the kernel holds, as of the last reading or writing; undefined when that is not known. */
  #known: Kernel | undefined;

  /** `netns`: the director. Throws IpvsError FL_NO_IPVS when the kernel has no ip_vs. */
  constructor(netns: string, log: Log) {
    this.#netns = netns;
    this.#log = log;
    this.#ipvs = new Ipvs({ netns });
  }

  sync(desired: DesiredState): SyncResult {
    const settings = this.#prepared ? 0 : this.#prepare();
    const actual = this.#known ?? this.#readKernel();
    const operations = [...actual.repairs, ...diff(desired.virtualServers, actual.servers).map(toIpvs)];
    if (operations.length > 0) {
      this.#known = undefined; // until the kernel has taken it
      const failures = this.#ipvs.apply(operations);
      if (failures.length > 0) throw refused(failures, operations.length);
    }
    this.#known = { servers: desired.virtualServers, repairs: [] };
    return { operations: operations.length + settings };
  }

  read(): VirtualServer[] {
    return this.#readKernel().servers;
  }

  stats(): VirtualServerStats[] {
    const servers = this.#list().map(({ service, destinations }) => ({
      ...keyOf(service),
      scheduler: service.scheduler,
      realServers: destinations.map(({ address, port, weight, stats }) => ({
        address,
        port,
        weight,
        connections: stats?.connections ?? 0n,
      })),
    }));
    return sortVirtualServers(servers);
  }

  close(): void {
    this.#ipvs.close();
  }

  /** Settings of this namespace, which exist only once ip_vs is loaded. Returns how many had to be set. */
  #prepare(): number {
    let changes = ensureSysctls(this.#netns, ipvsSysctls, this.#log);
    const { tcp } = this.#ipvs.getTimeouts();
    if (tcp !== TCP_TIMEOUT_SECONDS) {
      this.#ipvs.setTimeouts({ tcp: TCP_TIMEOUT_SECONDS });
      this.#log.info({ netns: this.#netns, before: tcp, seconds: TCP_TIMEOUT_SECONDS }, 'IPVS TCP timeout changed');
      changes++;
    }
    this.#prepared = true;
    return changes;
  }

  #readKernel(): Kernel {
    const kernel: Kernel = { servers: [], repairs: [] };
    for (const { service, destinations } of this.#list()) {
      if (service.fwmark) {
        kernel.repairs.push({ kind: 'delete-service', service });
        continue;
      }
      const wanted = { ...serviceKey(keyOf(service)), scheduler: service.scheduler };
      if (!sameServiceSettings(service, wanted)) kernel.repairs.push({ kind: 'set-service', service: wanted });
      for (const { address, port, weight } of destinations.filter((destination) => !isPlain(destination))) {
        kernel.repairs.push({ kind: 'set-destination', service: wanted, destination: { address, port, weight } });
      }
      kernel.servers.push({
        ...keyOf(service),
        scheduler: service.scheduler,
        realServers: destinations.map(({ address, port, weight }) => ({ address, port, weight })),
      });
    }
    kernel.servers = sortVirtualServers(kernel.servers);
    this.#known = kernel;
    return kernel;
  }

  #list(): { service: IpvsService; destinations: IpvsDestination[] }[] {
    return this.#ipvs.services().map((service) => ({ service, destinations: this.#ipvs.destinations(service) }));
  }
}

/** As we write it: NAT, without thresholds. */
function isPlain({ forwarding, upperThreshold, lowerThreshold }: IpvsDestination): boolean {
  return forwarding === 'masquerade' && upperThreshold === 0 && lowerThreshold === 0;
}

function keyOf({ address, port, protocol }: VirtualServerKey): VirtualServerKey {
  return { address, port, protocol };
}

function serviceKey(key: VirtualServerKey): IpvsServiceKey {
  return { ...key, family: familyOf(key.address) };
}

function toIpvs(operation: Operation): IpvsOperation {
  const family = familyOf(operation.service.address);
  switch (operation.kind) {
    case 'add-service':
    case 'set-service':
      return { kind: operation.kind, service: { ...operation.service, family } };
    case 'delete-service':
      return { kind: operation.kind, service: { ...operation.service, family } };
    case 'add-destination':
    case 'set-destination':
    case 'delete-destination':
      return { ...operation, service: { ...operation.service, family } };
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
