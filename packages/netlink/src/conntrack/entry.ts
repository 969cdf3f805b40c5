/** Tracked connections (CTA_*). */
import type { Attributes } from '../attribute.js';
import { MalformedMessageError } from '../errors.js';
import { familyName } from '../ip.js';
import type { NetfilterMessage } from '../netfilter/nfnetlink.js';
import {
  entryAttributes as a,
  counterAttributes,
  cpuAttributes,
  protocolInfoAttributes,
  sctpStates,
  tcpStates,
} from './constants.js';
import { decodeTuple } from './tuple.js';
import type { ConntrackCounters, ConntrackCpuStatistics, ConntrackEntry } from './types.js';

/** undefined for what is neither IPv4 nor IPv6. */
export function decodeEntry({ family: number, attributes }: NetfilterMessage): ConntrackEntry | undefined {
  const family = familyName(number);
  if (!family) return undefined;
  const original = attributes.nest(a.original);
  const reply = attributes.nest(a.reply);
  if (!original || !reply) throw new MalformedMessageError('a connection without its two directions');
  const timeoutSeconds = attributes.u32be(a.timeout);
  const state = decodeState(attributes.nest(a.protocolInfo));
  const counters = decodeCounters(attributes);
  return {
    family,
    original: decodeTuple(original, family),
    reply: decodeTuple(reply, family),
    status: attributes.u32be(a.status) ?? 0,
    mark: attributes.u32be(a.mark) ?? 0,
    zone: attributes.u16be(a.zone) ?? 0,
    id: attributes.u32be(a.id) ?? 0,
    ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
    ...(state === undefined ? {} : { state }),
    ...(counters ? { counters } : {}),
  };
}

function decodeState(info: Attributes | undefined): string | undefined {
  const tcp = info?.nest(protocolInfoAttributes.tcp)?.u8(protocolInfoAttributes.state);
  if (tcp !== undefined) return tcpStates[tcp] ?? `${tcp}`;
  const sctp = info?.nest(protocolInfoAttributes.sctp)?.u8(protocolInfoAttributes.state);
  return sctp === undefined ? undefined : (sctpStates[sctp] ?? `${sctp}`);
}

function decodeCounters(attributes: Attributes): ConntrackEntry['counters'] {
  const read = (type: number): ConntrackCounters | undefined => {
    const nest = attributes.nest(type);
    return (
      nest && { packets: nest.u64be(counterAttributes.packets) ?? 0n, bytes: nest.u64be(counterAttributes.bytes) ?? 0n }
    );
  };
  const original = read(a.countersOriginal);
  const reply = read(a.countersReply);
  return original && reply ? { original, reply } : undefined;
}

export function decodeCpuStatistics({ resource, attributes }: NetfilterMessage): ConntrackCpuStatistics {
  const counters = Object.entries(cpuAttributes).map(([name, type]) => [name, attributes.u32be(type) ?? 0]);
  return { cpu: resource, ...(Object.fromEntries(counters) as Record<keyof typeof cpuAttributes, number>) };
}
