/**
 * What Node and the machine take of a processor, whatever a speaker does: a process with a second thread that wakes up ten times a second, and
 * sends as many packets as an owner advertises, to another host of the same LAN.
 *
 *   node bare-process.js PACKETS SENDER SINK DESTINATION       the namespaces of two hosts of the lab, and the address of the second
 */
import { isMainThread, Worker } from 'node:worker_threads';
import { constants, DROP_ALL, packDatagrams, RawSocket, sockaddrIn } from '@fairlead/raw-socket';

const EVERY_MS = 100;
/** For experiments (RFC 3692): nobody else takes it. */
const PROTOCOL = 253;
/** Of an advertisement of seven addresses. */
const OCTETS = 36;

if (isMainThread) {
  new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) });
  process.on('disconnect', () => process.exit(0));
} else {
  const [packets, sender, sink, destination] = process.argv.slice(2) as [string, string, string, string];
  const open = (netns: string) =>
    new RawSocket({ domain: constants.AF_INET, type: constants.SOCK_RAW, protocol: PROTOCOL, netns });
  // Without one, the host would answer that it knows no such protocol.
  open(sink).attachFilter(DROP_ALL);
  const socket = open(sender);
  socket.attachFilter(DROP_ALL);
  const datagram = { data: new Uint8Array(OCTETS), address: sockaddrIn({ address: destination }) };
  const packed = packDatagrams(Array.from({ length: Number(packets) }, () => datagram));
  setInterval(() => socket.sendPacked(packed), EVERY_MS);
}
