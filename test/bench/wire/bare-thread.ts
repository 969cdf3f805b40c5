/** A thread that does nothing but wake up, with the wire thread's priority (machine.ts). */
import { parentPort, workerData } from 'node:worker_threads';
import { constants, RawSocket, sockaddrLl } from '@fairlead/raw-socket';
import { goFirst } from '@fairlead/speaker';
import { type BareData, ECHO_ETHERTYPE } from './machine.js';

/** How soon the one that waits for frames sees that it is to end, ms. */
const LOOK_MS = 100;

const { bare, stop } = workerData as BareData;
const stopped = new Int32Array(stop);

function sleepOn(ms: number): number[] {
  const late: number[] = [];
  for (;;) {
    const due = performance.now() + ms;
    if (Atomics.wait(stopped, 0, 0, ms) !== 'timed-out') return late;
    late.push(performance.now() - due);
  }
}

function echo(netns: string, index: number): void {
  const socket = new RawSocket({ domain: constants.AF_PACKET, type: constants.SOCK_RAW, protocol: 0, netns });
  socket.bind(sockaddrLl({ ifindex: index, protocol: ECHO_ETHERTYPE }));
  parentPort!.postMessage('ready');
  while (Atomics.load(stopped, 0) === 0) {
    socket.poll(LOOK_MS);
    for (const { data } of socket.receive()) {
      const back = Buffer.from(data);
      data.copy(back, 0, 6, 12);
      data.copy(back, 6, 0, 6);
      socket.send(back);
    }
  }
  socket.close();
}

// Where that is not to be had, the wire thread has it neither.
goFirst();
if (bare.do === 'echo') {
  echo(bare.netns, bare.index);
} else {
  parentPort!.postMessage('ready');
  parentPort!.postMessage(sleepOn(bare.ms));
}
