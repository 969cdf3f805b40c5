/**
 * /proc/net/ip_vs: the whole table as text, in one go.
 *
 * Netlink lists destinations for one service at a time, 400 bytes each, and every list costs several system calls. The
 * file has what a comparison of tables needs, for all services, in 60 bytes a line:
 *
 *     TCP  CB00710A:0050 mh persistent 300 FFFFFFFF
 *       -> 0A00000B:7590      Masq    1      0          0
 *     UDP  [2001:0db8:0000:0000:0000:0000:0000:0001]:0035 rr
 *
 * Numbers of addresses and ports are hexadecimal in host order, the others decimal (net/netfilter/ipvs/ip_vs_ctl.c).
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { inNetns } from '@fairlead/raw-socket';
import { decodeAddress } from '../ip.js';
import { type IpvsProtocol, type IpvsTableDestination, serviceName } from './types.js';

/** Of the thread: the process may be in another network namespace than the one that is entered to open it. */
const PATH = '/proc/thread-self/net/ip_vs';
const CHUNK_BYTES = 64 * 1024;

/** The file, held open: it belongs to the namespace in which it was opened, and no right is needed to read it again. */
export class ProcTable {
  readonly #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** undefined where there is no such file to read: then netlink has to do. */
  static open(netns?: string): ProcTable | undefined {
    try {
      const open = () => openSync(PATH, 'r');
      return new ProcTable(netns === undefined ? open() : inNetns(netns, open));
    } catch {
      return undefined;
    }
  }

  read(): Buffer {
    const chunks: Buffer[] = [];
    for (let at = 0; ; ) {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      // The kernel gives a page at most at a time; position 0 begins anew.
      let length = 0;
      let count: number;
      do {
        count = readSync(this.#fd, chunk, length, chunk.length - length, at);
        length += count;
        at += count;
      } while (count > 0 && length < chunk.length);
      chunks.push(chunk.subarray(0, length));
      if (count === 0) return Buffer.concat(chunks);
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}

const SPACE = 0x20;
const NEWLINE = 0x0a;
const BRACKET = 0x5b;
/** `  -> ` */
const DESTINATION_AT = 5;
const PROTOCOL_LENGTH = 5;
const IPV6_TEXT_LENGTH = 39;

const protocols: Record<string, IpvsProtocol> = { 'TCP  ': 'tcp', 'UDP  ': 'udp', 'SCTP ': 'sctp' };
const forwardings: Record<string, IpvsTableDestination['forwarding']> = {
  M: 'masquerade',
  L: 'local',
  T: 'tunnel',
  R: 'direct',
  B: 'bypass',
};

/**
 * Destinations by serviceName(). Services by firewall mark are left out: the text does not tell their family. Lines
 * that cannot be understood are too, and what follows them.
 */
export function parseProcTable(bytes: Buffer): Map<string, IpvsTableDestination[]> {
  const table = new Map<string, IpvsTableDestination[]>();
  const scanner = new Scanner(bytes);
  let destinations: IpvsTableDestination[] | undefined;
  for (let at = 0; at < bytes.length; ) {
    const newline = bytes.indexOf(NEWLINE, at);
    const end = newline < 0 ? bytes.length : newline;
    if (bytes[at] === SPACE) {
      const destination = destinations && parseDestination(scanner, at, end);
      if (destination) destinations?.push(destination);
    } else {
      const protocol = protocols[bytes.toString('latin1', at, at + PROTOCOL_LENGTH)];
      const endpoint = protocol && scanner.endpoint(at + PROTOCOL_LENGTH, end);
      destinations = endpoint && [];
      if (protocol && endpoint && destinations) {
        table.set(serviceName({ protocol, ...endpoint }), destinations);
      }
    }
    at = end + 1;
  }
  return table;
}

function parseDestination(scanner: Scanner, at: number, end: number): IpvsTableDestination | undefined {
  const endpoint = scanner.endpoint(at + DESTINATION_AT, end);
  if (!endpoint) return undefined;
  const forwarding = forwardings[scanner.word(end)] ?? 'unknown';
  const weight = scanner.decimal(end);
  const activeConnections = scanner.decimal(end);
  const inactiveConnections = scanner.decimal(end);
  const { address, port } = endpoint;
  return { address, port, weight, forwarding, activeConnections, inactiveConnections };
}

/** Reads numbers out of bytes, without a string for each. */
class Scanner {
  readonly #bytes: Buffer;
  /** Where the last one ended. */
  #at = 0;
  /** Many services have the same real servers. */
  readonly #addresses = new Map<number, string>();

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** `0A00000B:7590` or `[2001:...]:7590` */
  endpoint(at: number, end: number): { family: 'ipv4' | 'ipv6'; address: string; port: number } | undefined {
    const bytes = this.#bytes;
    if (bytes[at] === BRACKET) {
      const closed = at + 1 + IPV6_TEXT_LENGTH;
      // Ends where it is not hexadecimal.
      const octets = Buffer.from(bytes.toString('latin1', at + 1, closed).replaceAll(':', ''), 'hex');
      const port = this.#hexadecimal(closed + 2, end);
      if (octets.length !== 16 || port === undefined) return undefined;
      return { family: 'ipv6', address: decodeAddress(octets, 'ipv6'), port };
    }
    const value = this.#hexadecimal(at, end);
    const port = value === undefined ? undefined : this.#hexadecimal(this.#at + 1, end);
    if (value === undefined || port === undefined) return undefined;
    return { family: 'ipv4', address: this.#ipv4(value), port };
  }

  /** The first letter of the next word. */
  word(end: number): string {
    this.#skipSpaces(end);
    const first = String.fromCharCode(this.#bytes[this.#at] ?? SPACE);
    while (this.#at < end && this.#bytes[this.#at] !== SPACE) this.#at++;
    return first;
  }

  decimal(end: number): number {
    this.#skipSpaces(end);
    let value = 0;
    for (; this.#at < end && this.#bytes[this.#at] !== SPACE; this.#at++) {
      value = value * 10 + this.#bytes[this.#at]! - 0x30;
    }
    return value;
  }

  #skipSpaces(end: number): void {
    while (this.#at < end && this.#bytes[this.#at] === SPACE) this.#at++;
  }

  /** undefined if there is no digit. */
  #hexadecimal(at: number, end: number): number | undefined {
    let value = 0;
    let i = at;
    for (; i < end; i++) {
      const code = this.#bytes[i]!;
      // '0' to '9', or 'A' to 'F' and 'a' to 'f'
      const digit = code <= 0x39 ? code - 0x30 : (code | 0x20) - 0x57;
      if (digit < 0 || digit > 15 || (code > 0x39 && digit < 10)) break;
      value = value * 16 + digit;
    }
    this.#at = i;
    return i > at && value <= 0xffffffff ? value : undefined;
  }

  #ipv4(value: number): string {
    const known = this.#addresses.get(value);
    if (known !== undefined) return known;
    const text = `${value >>> 24}.${(value >>> 16) & 0xff}.${(value >>> 8) & 0xff}.${value & 0xff}`;
    this.#addresses.set(value, text);
    return text;
  }
}
