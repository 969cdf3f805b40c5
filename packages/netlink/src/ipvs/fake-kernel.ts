/**
 * IPVS without a kernel, for tests on machines that have none: services, destinations, timeouts and daemons in
 * memory, behind the same messages and with the same refusals. It forwards nothing.
 *
 * ```ts
 * import { Ipvs, testing } from '@fairlead/netlink';
 * const kernel = new testing.FakeIpvsKernel();
 * const ipvs = new Ipvs({ transport: kernel.transport() });
 * ```
 */
import type { Attributes, Encoder } from '../attribute.js';
import { acknowledgement, answer, FakeTransport, multipart, refusal } from '../fake-transport.js';
import { decodeGenericMessage, encodeGenericRequest, GENL_ID_CTRL } from '../generic/generic-netlink.js';
import { type NetlinkMessage, NLM_F_DUMP } from '../message.js';
import { commandAttributes, commands, IPVS_FAMILY_NAME, infoAttributes } from './constants.js';
import { decodeDaemon, putDaemon } from './daemon.js';
import { decodeDestination, putDestination } from './destination.js';
import { decodeService, putService } from './service.js';
import {
  endpointName,
  type IpvsDaemon,
  type IpvsDestination,
  type IpvsDestinationOptions,
  type IpvsService,
  serviceName,
} from './types.js';

const FAMILY = { id: 0x1c, version: 1 };
const CTRL_CMD_NEWFAMILY = 1;
const CTRL_ATTR_FAMILY_ID = 1;
const CTRL_ATTR_FAMILY_NAME = 2;

const EPERM = 1;
const ENOENT = 2;
const ESRCH = 3;
const EEXIST = 17;
const EINVAL = 22;
const ERANGE = 34;
const EOPNOTSUPP = 95;

interface Entry {
  service: IpvsService;
  /** By endpoint; a dump shows the newest first. */
  destinations: Map<string, IpvsDestination>;
}

export class FakeIpvsKernel {
  /** By serviceName(). */
  readonly table = new Map<string, Entry>();
  readonly daemons = new Map<IpvsDaemon['state'], IpvsDaemon>();
  readonly schedulers = new Set(['rr', 'wrr', 'lc', 'wlc', 'sh', 'dh', 'mh', 'sed', 'nq', 'fo', 'ovf', 'none']);
  timeouts = { tcp: 900, tcpFin: 120, udp: 300 };
  /** False: there is no such generic netlink family. */
  hasIpvs = true;
  /** False: everything is refused with EPERM, except finding the family. */
  privileged = true;

  /** A transport to this kernel; several may be open at a time. */
  transport(): FakeTransport {
    return new FakeTransport((request) => this.#answer(request));
  }

  #answer(request: NetlinkMessage): Buffer[] {
    const { command, attributes } = decodeGenericMessage(request);
    if (request.type === GENL_ID_CTRL) return this.#family(request);
    if (request.type !== FAMILY.id || !this.hasIpvs) return [refusal(request, ENOENT)];
    if (!this.privileged) return [refusal(request, EPERM)];
    if ((request.flags & NLM_F_DUMP) === NLM_F_DUMP) {
      return [multipart(request, this.#dump(command, attributes))];
    }
    const outcome = this.#execute(command, attributes);
    if (typeof outcome === 'number') return [outcome === 0 ? acknowledgement(request) : refusal(request, outcome)];
    return [answer(request, outcome), acknowledgement(request)];
  }

  #family(request: NetlinkMessage): Buffer[] {
    if (!this.hasIpvs) return [refusal(request, ENOENT)];
    const { type, body } = encodeGenericRequest(
      { id: GENL_ID_CTRL, version: 2 },
      {
        command: CTRL_CMD_NEWFAMILY,
        attributes: (encoder) =>
          encoder.string(CTRL_ATTR_FAMILY_NAME, IPVS_FAMILY_NAME).u16(CTRL_ATTR_FAMILY_ID, FAMILY.id),
        operation: '',
      },
    );
    return [answer(request, { type, payload: body }), acknowledgement(request)];
  }

  #dump(command: number, attributes: Attributes): { type: number; payload: Buffer }[] {
    switch (command) {
      case commands.getService:
        return [...this.table.values()].map(({ service }) =>
          message(commands.newService, (encoder) => putService(encoder, service)),
        );
      case commands.getDestination: {
        const entry = this.#entry(attributes);
        return [...(entry?.destinations.values() ?? [])]
          .reverse()
          .map((destination) =>
            message(commands.newDestination, (encoder) =>
              putDestination(encoder, destination as IpvsDestinationOptions, entry!.service.family),
            ),
          );
      }
      case commands.getDaemon:
        return [...this.daemons.values()].map((daemon) =>
          message(commands.newDaemon, (encoder) => putDaemon(encoder, daemon)),
        );
      default:
        return [];
    }
  }

  /** An errno, 0 for success, or a message. */
  #execute(command: number, attributes: Attributes): number | { type: number; payload: Buffer } {
    switch (command) {
      case commands.newService:
      case commands.setService:
      case commands.deleteService:
        return this.#changeService(command, attributes);
      case commands.newDestination:
      case commands.setDestination:
      case commands.deleteDestination:
        return this.#changeDestination(command, attributes);
      case commands.getService: {
        const entry = this.#entry(attributes);
        return entry ? message(commands.newService, (encoder) => putService(encoder, entry.service)) : ESRCH;
      }
      case commands.newDaemon:
      case commands.deleteDaemon:
        return this.#changeDaemon(command, attributes);
      case commands.setConfig: {
        const seconds = (type: number, old: number) => attributes.u32(type) || old;
        this.timeouts = {
          tcp: seconds(commandAttributes.timeoutTcp, this.timeouts.tcp),
          tcpFin: seconds(commandAttributes.timeoutTcpFin, this.timeouts.tcpFin),
          udp: seconds(commandAttributes.timeoutUdp, this.timeouts.udp),
        };
        return 0;
      }
      case commands.getConfig:
        return message(commands.setConfig, (encoder) =>
          encoder
            .u32(commandAttributes.timeoutTcp, this.timeouts.tcp)
            .u32(commandAttributes.timeoutTcpFin, this.timeouts.tcpFin)
            .u32(commandAttributes.timeoutUdp, this.timeouts.udp),
        );
      case commands.getInfo:
        return message(commands.setInfo, (encoder) =>
          encoder.u32(infoAttributes.version, 0x010201).u32(infoAttributes.connectionTableSize, 4096),
        );
      case commands.zero:
        return !attributes.has(commandAttributes.service) || this.#entry(attributes) ? 0 : ESRCH;
      case commands.flush:
        this.table.clear();
        return 0;
      default:
        return EOPNOTSUPP;
    }
  }

  #entry(attributes: Attributes): Entry | undefined {
    if (!attributes.has(commandAttributes.service)) return undefined;
    const key = decodeService(attributes);
    return key && this.table.get(serviceName(key));
  }

  #changeService(command: number, attributes: Attributes): number {
    const service = decodeService(attributes);
    if (!service) return EINVAL;
    const name = serviceName(service);
    const entry = this.table.get(name);
    if (command === commands.newService && entry) return EEXIST;
    if (command !== commands.newService && !entry) return ESRCH;
    if (command === commands.deleteService) {
      this.table.delete(name);
      return 0;
    }
    if (!this.schedulers.has(service.scheduler)) return ENOENT;
    this.table.set(name, { service, destinations: entry?.destinations ?? new Map() });
    return 0;
  }

  #changeDestination(command: number, attributes: Attributes): number {
    const entry = this.#entry(attributes);
    if (!entry) return ESRCH;
    const destination = decodeDestination(attributes, entry.service.family);
    const outOfRange = destination.lowerThreshold > destination.upperThreshold;
    if (outOfRange && command !== commands.deleteDestination) return ERANGE;
    const name = endpointName(destination);
    const exists = entry.destinations.has(name);
    if (command === commands.newDestination && exists) return EEXIST;
    if (command !== commands.newDestination && !exists) return ENOENT;
    if (command === commands.deleteDestination) {
      entry.destinations.delete(name);
      return 0;
    }
    entry.destinations.set(name, destination);
    return 0;
  }

  #changeDaemon(command: number, attributes: Attributes): number {
    const daemon = decodeDaemon(attributes);
    const exists = this.daemons.has(daemon.state);
    if (command === commands.deleteDaemon) return this.daemons.delete(daemon.state) ? 0 : ESRCH;
    if (exists) return EEXIST;
    this.daemons.set(daemon.state, daemon);
    return 0;
  }
}

function message(command: number, attributes: (encoder: Encoder) => void): { type: number; payload: Buffer } {
  const { type, body } = encodeGenericRequest(FAMILY, { command, attributes, operation: '' });
  return { type, payload: Buffer.from(body) };
}
