/** ICMP (IPv4) as tests need it: what a host gets, and an echo request. */
import { readFileSync } from 'node:fs';
import { constants, inNetns, RawSocket } from '@fairlead/raw-socket';

export const ICMP_ECHO_REPLY = 0;
export const ICMP_ECHO_REQUEST = 8;
const IPPROTO_ICMP = 1;
export const ECHO_IDENTIFIER = 0x4d4d;

/** Gets a copy of every ICMP message that comes to the namespace. */
export function icmpSocket(netns: string): RawSocket {
  return new RawSocket({ domain: constants.AF_INET, type: constants.SOCK_RAW, protocol: IPPROTO_ICMP, netns });
}

/** The types of the messages that have come. */
export function icmpTypes(socket: RawSocket): number[] {
  return socket.receive().map(({ data }) => icmpOf(data)[0]!);
}

/** Behind the IP header. */
export function icmpOf(packet: Buffer): Buffer {
  return packet.subarray((packet[0]! & 15) * 4);
}

export function echoRequest(): Buffer {
  const request = Buffer.alloc(8); // u8 type, u8 code, u16 checksum, u16 identifier, u16 sequence
  request[0] = ICMP_ECHO_REQUEST;
  request.writeUInt16BE(0xffff - (ICMP_ECHO_REQUEST * 256 + ECHO_IDENTIFIER + 1), 2);
  request.writeUInt16BE(ECHO_IDENTIFIER, 4);
  request.writeUInt16BE(1, 6);
  return request;
}

/** How many ICMP redirects the namespace has sent, ever (the kernel sends few of those it would like to). */
export function redirectsSent(netns: string): number {
  const snmp = inNetns(netns, () => readFileSync('/proc/thread-self/net/snmp', 'utf8'));
  const [names, values] = snmp
    .split('\n')
    .filter((line) => line.startsWith('Icmp:'))
    .map((line) => line.split(' '));
  return Number(values![names!.indexOf('OutRedirects')]);
}
