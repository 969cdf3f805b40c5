/** Tuples (CTA_TUPLE_*): addresses and ports of one direction. */
import { type Attributes, type Encoder, NLA_F_NESTED } from '../attribute.js';
import { checkInteger } from '../check.js';
import { MalformedMessageError } from '../errors.js';
import { decodeAddress, encodeAddress, type Family } from '../ip.js';
import { filterBits, ipAttributes, protocolAttributes as p, tupleAttributes } from './constants.js';
import type { ConntrackProtocol, ConntrackTuple, ConntrackTupleFilter } from './types.js';

const protocolNumbers = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58, sctp: 132 } as const;
const protocolNames = new Map(
  Object.entries(protocolNumbers).map(([name, number]) => [number as number, name as keyof typeof protocolNumbers]),
);

/** Throws TypeError or RangeError. */
export function protocolNumber(protocol: ConntrackProtocol): number {
  const number = typeof protocol === 'number' ? protocol : protocolNumbers[protocol];
  if (number === undefined) throw new TypeError(`"${protocol}" is not a protocol: give its number`);
  checkInteger(number, 0, 0xff, () => 'protocol');
  return number;
}

/** Which addresses of which family, as attribute numbers. */
function addressAttributes(family: Family): { source: number; destination: number } {
  return family === 'ipv4'
    ? { source: ipAttributes.source4, destination: ipAttributes.destination4 }
    : { source: ipAttributes.source6, destination: ipAttributes.destination6 };
}

export function decodeTuple(attributes: Attributes, family: Family): ConntrackTuple {
  const types = addressAttributes(family);
  const ip = attributes.nest(tupleAttributes.ip);
  const source = ip?.binary(types.source);
  const destination = ip?.binary(types.destination);
  const protocol = attributes.nest(tupleAttributes.protocol);
  const number = protocol?.u8(p.number);
  if (!source || !destination || !protocol || number === undefined) {
    throw new MalformedMessageError('a connection without addresses or protocol');
  }
  const sourcePort = protocol.u16be(p.sourcePort);
  const destinationPort = protocol.u16be(p.destinationPort);
  const icmp = decodeIcmp(protocol);
  return {
    protocol: protocolNames.get(number) ?? number,
    source: decodeAddress(source, family),
    destination: decodeAddress(destination, family),
    ...(sourcePort === undefined ? {} : { sourcePort }),
    ...(destinationPort === undefined ? {} : { destinationPort }),
    ...(icmp ? { icmp } : {}),
  };
}

function decodeIcmp(protocol: Attributes): ConntrackTuple['icmp'] {
  const type = protocol.u8(p.icmpType) ?? protocol.u8(p.icmp6Type);
  if (type === undefined) return undefined;
  return {
    type,
    code: protocol.u8(p.icmpCode) ?? protocol.u8(p.icmp6Code) ?? 0,
    id: protocol.u16be(p.icmpId) ?? protocol.u16be(p.icmp6Id) ?? 0,
  };
}

/** Writes what a filter compares, and returns which bits say so. `protocol` may be undefined if there are no ports. */
export function putTupleFilter(
  encoder: Encoder,
  type: number,
  filter: ConntrackTupleFilter,
  { family, protocol }: { family: Family; protocol: number | undefined },
): number {
  const types = addressAttributes(family);
  let bits = 0;
  encoder.nest(type | NLA_F_NESTED, () => {
    encoder.nest(tupleAttributes.ip | NLA_F_NESTED, () => {
      for (const name of ['source', 'destination'] as const) {
        const address = filter[name];
        if (address === undefined) continue;
        encoder.binary(types[name], encodeAddress(address, family));
        bits |= filterBits[name];
      }
    });
    if (protocol === undefined) return;
    encoder.nest(tupleAttributes.protocol | NLA_F_NESTED, () => {
      encoder.u8(p.number, protocol);
      bits |= filterBits.protocol;
      for (const name of ['sourcePort', 'destinationPort'] as const) {
        const port = filter[name];
        if (port === undefined) continue;
        encoder.u16be(p[name], port);
        bits |= filterBits[name];
      }
    });
  });
  return bits;
}
