/**
 * Ipvs: the virtual servers of one network namespace.
 *
 * All calls are synchronous (some microseconds each, in the kernel's order). What the kernel refuses is thrown as
 * IpvsError; only apply() returns refusals. Needs CAP_NET_ADMIN in the initial user namespace.
 */
import type { Encoder } from '../attribute.js';
import { checkInteger } from '../check.js';
import { MalformedMessageError, NetlinkError } from '../errors.js';
import {
  type GenericFamily,
  type GenericMessage,
  GenericNetlink,
  type GenericRequest,
} from '../generic/generic-netlink.js';
import type { Transport } from '../transport.js';
import { commandAttributes, commands, IPVS_FAMILY_NAME, infoAttributes } from './constants.js';
import { decodeDaemon, putDaemon, putDaemonState } from './daemon.js';
import { decodeDestination } from './destination.js';
import { explain, type IpvsAction, IpvsError, noIpvsError } from './errors.js';
import { describeOperation, encodeOperation, operationCommands, putOperation } from './operation.js';
import { ProcTable, parseProcTable } from './proc.js';
import { decodeService, putServiceKey } from './service.js';
import {
  endpointName,
  type IpvsDaemon,
  type IpvsDestination,
  type IpvsDestinationKey,
  type IpvsDestinationOptions,
  type IpvsInfo,
  type IpvsOperation,
  type IpvsService,
  type IpvsServiceKey,
  type IpvsServiceOptions,
  type IpvsTableDestination,
  type IpvsTableEntry,
  type IpvsTimeouts,
  serviceName,
} from './types.js';

const timeoutAttributes: Record<keyof IpvsTimeouts, number> = {
  tcp: commandAttributes.timeoutTcp,
  tcpFin: commandAttributes.timeoutTcpFin,
  udp: commandAttributes.timeoutUdp,
};

/** Stopping a daemon may go without an answer: see stopDaemon. */
const STOP_DAEMON_TIMEOUT_MS = 1_000;

export interface IpvsOptions {
  /** A name under /run/netns or an absolute path; by default the network namespace of this process. */
  netns?: string;
  timeoutMs?: number;
  /** In place of a kernel socket, for tests. */
  transport?: Transport;
}

/** An operation of apply() that the kernel refused. */
export interface IpvsOperationError {
  /** Position in the list. */
  index: number;
  operation: IpvsOperation;
  error: IpvsError;
}

export class Ipvs {
  readonly #netlink: GenericNetlink;
  readonly #family: GenericFamily;
  #procTable: ProcTable | undefined;

  /** Throws IpvsError with code FL_NO_IPVS if the kernel has no IPVS; loads module ip_vs where that is possible. */
  constructor(options: IpvsOptions = {}) {
    this.#netlink = new GenericNetlink(options);
    try {
      const family = this.#netlink.family(IPVS_FAMILY_NAME);
      if (!family) throw noIpvsError('open IPVS');
      this.#family = family;
      if (!options.transport) this.#procTable = ProcTable.open(options.netns);
    } catch (error) {
      this.#netlink.close();
      throw error;
    }
  }

  info(): IpvsInfo {
    const [answer] = this.#request({ command: commands.getInfo, operation: 'get IPVS info' });
    const version = answer?.attributes.u32(infoAttributes.version);
    const connectionTableSize = answer?.attributes.u32(infoAttributes.connectionTableSize);
    if (version === undefined || connectionTableSize === undefined) {
      throw new MalformedMessageError('IPVS info without version or table size');
    }
    return { version: `${version >> 16}.${(version >> 8) & 0xff}.${version & 0xff}`, connectionTableSize };
  }

  services(): IpvsService[] {
    return this.#services({ withStats: true });
  }

  /**
   * Everything, fast: for comparing the kernel's table with another one. Does without statistics, thresholds, tunnels
   * and persistent connections, which destinations() has.
   */
  table(): IpvsTableEntry[] {
    const services = this.#services({ withStats: false });
    const known = this.#procTable ? parseProcTable(this.#procTable.read()) : undefined;
    return services.map((service) => ({
      service,
      destinations: known?.get(serviceName(service)) ?? this.destinations(service).map(toTableDestination),
    }));
  }

  /** undefined if there is no such service. */
  service(key: IpvsServiceKey): IpvsService | undefined {
    try {
      const request = {
        command: commands.getService,
        attributes: (encoder: Encoder) => putServiceKey(encoder, key),
        operation: `get service ${serviceName(key)}`,
      };
      const [answer] = this.#request(request, 'use-service');
      return answer && decodeService(answer.attributes);
    } catch (error) {
      if (error instanceof IpvsError && error.problem === 'no-service') return undefined;
      throw error;
    }
  }

  /** In the kernel's order, newest first. [] also if there is no such service: the kernel does not tell. */
  destinations(key: IpvsServiceKey): IpvsDestination[] {
    const answers = this.#dump({
      command: commands.getDestination,
      attributes: (encoder) => putServiceKey(encoder, key),
      operation: `list destinations of ${serviceName(key)}`,
    });
    const destinations = answers.map(({ attributes }) => decodeDestination(attributes, key.family));
    return firstOfEach(destinations, endpointName);
  }

  addService(service: IpvsServiceOptions): void {
    this.#change({ kind: 'add-service', service });
  }

  /** Changes scheduler, flags, persistence; connections stay. */
  setService(service: IpvsServiceOptions): void {
    this.#change({ kind: 'set-service', service });
  }

  /** Deletes its destinations with it. */
  deleteService(service: IpvsServiceKey): void {
    this.#change({ kind: 'delete-service', service });
  }

  addDestination(service: IpvsServiceKey, destination: IpvsDestinationOptions): void {
    this.#change({ kind: 'add-destination', service, destination });
  }

  /** Changes weight, forwarding and thresholds; connections stay and go on as they were scheduled. */
  setDestination(service: IpvsServiceKey, destination: IpvsDestinationOptions): void {
    this.#change({ kind: 'set-destination', service, destination });
  }

  deleteDestination(service: IpvsServiceKey, destination: IpvsDestinationKey): void {
    this.#change({ kind: 'delete-destination', service, destination });
  }

  /**
   * Does all operations in their order, in few system calls. One that is refused does not stop the others; the
   * refusals are returned. Throws TypeError or RangeError before anything is done if an operation is not well-formed,
   * and NetlinkError (ENOBUFS, ETIMEDOUT) if the outcome is unknown: then read the services again.
   */
  apply(operations: readonly IpvsOperation[]): IpvsOperationError[] {
    const failures = this.#netlink.batch(this.#family, {
      length: operations.length,
      command: (index) => operationCommands[operations[index]!.kind],
      attributes: (encoder, index) => putOperation(encoder, operations[index]!),
      operation: (index) => describeOperation(operations[index]!),
    });
    return failures.map(({ index, error }) => {
      const operation = operations[index]!;
      return { index, operation, error: explain(error, operation.kind) };
    });
  }

  /** Deletes everything. */
  flush(): void {
    this.#request({ command: commands.flush, operation: 'delete all services' });
  }

  /** Sets the counters of one service, or of all, to zero. */
  zero(key?: IpvsServiceKey): void {
    const request = {
      command: commands.zero,
      ...(key ? { attributes: (encoder: Encoder) => putServiceKey(encoder, key) } : {}),
      operation: key ? `zero counters of service ${serviceName(key)}` : 'zero counters of all services',
    };
    this.#request(request, key ? 'use-service' : 'other');
  }

  getTimeouts(): IpvsTimeouts {
    const [answer] = this.#request({ command: commands.getConfig, operation: 'get IPVS timeouts' });
    const seconds = (type: number) => answer?.attributes.u32(type) ?? 0;
    return {
      tcp: seconds(timeoutAttributes.tcp),
      tcpFin: seconds(timeoutAttributes.tcpFin),
      udp: seconds(timeoutAttributes.udp),
    };
  }

  /** In seconds; what is absent, or 0, stays as it is. */
  setTimeouts(timeouts: Partial<IpvsTimeouts>): void {
    const given = (['tcp', 'tcpFin', 'udp'] as const).flatMap((name) => {
      const seconds = timeouts[name];
      if (seconds === undefined) return [];
      checkInteger(seconds, 0, 0x7fffffff, () => `timeout ${name}`);
      return [{ name, seconds }];
    });
    this.#request({
      command: commands.setConfig,
      attributes: (encoder) => {
        for (const { name, seconds } of given) encoder.u32(timeoutAttributes[name], seconds);
      },
      operation: `set IPVS timeouts ${given.map(({ name, seconds }) => `${name} ${seconds}`).join(', ')}`,
    });
  }

  /** At most one master and one backup. */
  daemons(): IpvsDaemon[] {
    const answers = this.#dump({ command: commands.getDaemon, operation: 'list daemons' });
    return answers.map(({ attributes }) => decodeDaemon(attributes));
  }

  startDaemon(daemon: IpvsDaemon): void {
    const request = {
      command: commands.newDaemon,
      attributes: (encoder: Encoder) => putDaemon(encoder, daemon),
      operation: `start ${daemon.state} daemon on ${daemon.interface} with sync id ${daemon.syncId}`,
    };
    this.#request(request, 'start-or-stop-daemon');
  }

  /** ESRCH if it does not run. */
  stopDaemon(state: IpvsDaemon['state']): void {
    const request = {
      command: commands.deleteDaemon,
      attributes: (encoder: Encoder) => putDaemonState(encoder, state),
      operation: `stop ${state} daemon`,
      timeoutMs: STOP_DAEMON_TIMEOUT_MS,
    };
    try {
      this.#request(request, 'start-or-stop-daemon');
    } catch (error) {
      // A thread that is stopped before it ever ran returns EINTR, and that is the one errno which the kernel never
      // reports. Look whether it is gone.
      const unanswered = error instanceof NetlinkError && error.code === 'ETIMEDOUT';
      if (!unanswered || this.daemons().some((daemon) => daemon.state === state)) throw error;
    }
  }

  close(): void {
    this.#procTable?.close();
    this.#procTable = undefined;
    this.#netlink.close();
  }

  #services(options: { withStats: boolean }): IpvsService[] {
    const answers = this.#dump({ command: commands.getService, operation: 'list services' });
    const services = answers.map(({ attributes }) => decodeService(attributes, options)).filter((service) => !!service);
    return firstOfEach(services, serviceName);
  }

  #change(operation: IpvsOperation): void {
    this.#request(encodeOperation(operation), operation.kind);
  }

  #request(request: GenericRequest, action: IpvsAction = 'other'): GenericMessage[] {
    return explained(action, () => this.#netlink.request(this.#family, request));
  }

  #dump(request: GenericRequest): GenericMessage[] {
    return explained('other', () => this.#netlink.dump(this.#family, request));
  }
}

function explained<T>(action: IpvsAction, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw error instanceof NetlinkError ? explain(error, action) : error;
  }
}

function toTableDestination(destination: IpvsDestination): IpvsTableDestination {
  const { address, port, weight, forwarding, activeConnections, inactiveConnections } = destination;
  return { address, port, weight, forwarding, activeConnections, inactiveConnections };
}

/**
 * The kernel continues a long dump by position in a list whose head grows: what another program adds meanwhile makes
 * entries appear twice.
 */
function firstOfEach<T>(entries: T[], name: (entry: T) => string): T[] {
  const seen = new Set<string>();
  return entries.filter((entry) => {
    const key = name(entry);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
