/**
 * The wire thread while the main thread parses 10,000 Services without a pause. Beside it in the same run: the same process before its
 * main thread became busy; a plain timer in the busy main thread, which is what there would be without a wire thread; and threads that do
 * nothing but wake up, for a timer and for a frame (machine.ts): what they are late by, no program on this machine can mend.
 *
 * Timers are those of eight virtual routers, a pool's default, at VRRP's default interval, begun at different moments: each advertisement
 * is late by how much longer than the interval it came after the one before.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ARP_REPLY, ARP_REQUEST, decodeArpFrame, encodeArpFrame } from '@fairlead/speaker';
import type { GroupContext, RowGroup } from '../groups.js';
import { judge, type Row } from '../row.js';
import { percentile } from '../statistics.js';
import { ECHO_ETHERTYPE } from './machine.js';
import type { FromStation } from './messages.js';
import { advertisedId, type Frame } from './observer.js';
import { Stand, virtualRouter } from './stand.js';

const SERVICES = 10_000;
const VIRTUAL_ROUTERS = 8;
const INTERVAL_MS = 100;
const STAGGER_MS = 12.5;
const VIPS = 125;
const PACE_MS = 10;
/** Of each trial: a thousand advertisements in the default ten trials. */
const TRIAL_MS = 2_000;
/** What has not come by then counts as having taken so long. */
const PATIENCE_MS = 1_000;
const LIMIT_MS = 5;
const ETHERTYPE_AT = 12;
const ETHERNET_HEADER = 14;

interface Measured {
  timer: number[];
  arp: number[];
  /** Of bare threads. */
  machine: { timer: number[]; arp: number[]; stolen: number };
}

export const rows: RowGroup = {
  name: 'busy',
  run: async (context) => {
    const stand = await Stand.start();
    try {
      stand.tell({ kind: 'fit', fit: true, why: '' });
      for (let n = 1; n <= VIRTUAL_ROUTERS; n++) {
        stand.configure(Array.from({ length: n }, (_, index) => virtualRouter(index, VIPS)));
        await stand.says((message) => message.is === 'owner' && message.virtualRouter === `bench.${n - 1}`);
        // Not a multiple of the interval later, so that no two are due at once.
        await sleep(STAGGER_MS);
      }
      const idle = await measure(context, stand, 'idle');
      const quiet = await report(stand);
      stand.ask({ do: 'parse', services: SERVICES });
      const { jsonBytes } = await stand.says(
        (message): message is FromStation & { is: 'busy' } => message.is === 'busy',
      );
      await report(stand);
      const busy = await measure(context, stand, `parsing ${SERVICES} Services, ${(jsonBytes / 1e6).toFixed(1)} MB`);
      const parsing = await report(stand);
      if (parsing.rounds === 0) throw new Error('the main thread has parsed nothing');
      if (stand.errors.length > 0) context.step(`the wire thread said: ${stand.errors.join('; ')}`);
      return [
        row('wire.timer', busy.timer, LIMIT_MS),
        row('wire.timer.machine', busy.machine.timer),
        row('wire.timer.idle', idle.timer),
        row('wire.timer.idle.machine', idle.machine.timer),
        row('wire.timer.main-thread', parsing.ms),
        row('wire.timer.main-thread.idle', quiet.ms),
        row('wire.arp', busy.arp, LIMIT_MS),
        row('wire.arp.machine', busy.machine.arp),
        row('wire.arp.idle', idle.arp),
        row('wire.arp.idle.machine', idle.machine.arp),
        judge({ name: 'wire.machine.stolen', value: busy.machine.stolen, unit: '%' }),
      ];
    } finally {
      await stand.stop();
    }
  },
};

/** The 99th percentile. */
function row(name: string, samples: readonly number[], limit?: number): Row {
  return judge({
    name,
    value: percentile(samples, 99),
    unit: 'ms',
    samples: samples.map((ms) => Math.round(ms * 1000) / 1000),
    ...(limit === undefined ? {} : { limit }),
  });
}

async function report(stand: Stand): Promise<FromStation & { is: 'lateness' }> {
  stand.ask({ do: 'report' });
  return stand.says((message): message is FromStation & { is: 'lateness' } => message.is === 'lateness');
}

/** Asks for one VIP after another all the while, and takes the time of what it hears. */
async function measure(context: GroupContext, stand: Stand, what: string): Promise<Measured> {
  const timer: number[] = [];
  const answers = { vip: new Answers(), echo: new Answers() };
  const heard = new Map<number, number>();
  stand.observer.listen((frame) => {
    const router = advertisedId(frame);
    if (router !== undefined) {
      const before = heard.get(router);
      if (before !== undefined) timer.push(frame.atMs - before - INTERVAL_MS);
      heard.set(router, frame.atMs);
      return;
    }
    const isOurs = frame.bytes.subarray(6, 12).equals(stand.observerMac);
    if (frame.bytes.readUInt16BE(ETHERTYPE_AT) === ECHO_ETHERTYPE) {
      answers.echo.heard(frame, frame.bytes.readUInt32BE(ETHERNET_HEADER), isOurs);
      return;
    }
    const arp = decodeArpFrame(frame.bytes);
    if (arp?.operation === ARP_REQUEST && isOurs) answers.vip.heard(frame, arp.targetIp, true);
    if (arp?.operation === ARP_REPLY && arp.destination.equals(stand.observerMac))
      answers.vip.heard(frame, arp.senderIp, false);
  });
  const machine = await stand.besideStation(INTERVAL_MS / VIRTUAL_ROUTERS);
  if (!machine.isKeptAwake) context.step('processors that have nothing to do may halt: no /dev/cpu_dma_latency here');
  for (let trial = 1; trial <= context.samples; trial++) {
    context.signal.throwIfAborted();
    for (let n = 0; n < TRIAL_MS / PACE_MS; n++) {
      stand.observer.send(
        request(stand.observerMac, (100 + (n % VIRTUAL_ROUTERS)) * 0x1_00_00 + 0x0a_00_00_00 + (n % VIPS)),
      );
      // At no fixed phase of the advertisements, and the two of them not at once.
      await sleep((PACE_MS / 2) * (0.5 + Math.random()));
      stand.observer.send(echoed(stand, trial * TRIAL_MS + n));
      await sleep((PACE_MS / 2) * (0.5 + Math.random()));
    }
    context.step(`${what}, trial ${trial} of ${context.samples}: ${timer.length} advertisements`);
  }
  await sleep(Math.min(PATIENCE_MS, 200));
  const { late, stolen } = await machine.stop();
  stand.observer.listen(() => {});
  return { timer, arp: answers.vip.ms(), machine: { timer: late, arp: answers.echo.ms(), stolen } };
}

/** How long each question waited for its answer. */
class Answers {
  readonly #asked = new Map<number, number>();
  readonly #ms: number[] = [];

  heard({ atMs }: Frame, key: number, isQuestion: boolean): void {
    if (isQuestion) {
      this.#asked.set(key, atMs);
      return;
    }
    const since = this.#asked.get(key);
    if (since === undefined) return;
    this.#asked.delete(key);
    this.#ms.push(atMs - since);
  }

  /** With those that were not answered in time. */
  ms(): number[] {
    return [...this.#ms, ...[...this.#asked].map(() => PATIENCE_MS)];
  }
}

function echoed({ observerMac, stationMac }: Stand, number: number): Buffer {
  const frame = Buffer.alloc(60);
  stationMac.copy(frame);
  observerMac.copy(frame, 6);
  frame.writeUInt16BE(ECHO_ETHERTYPE, ETHERTYPE_AT);
  frame.writeUInt32BE(number, ETHERNET_HEADER);
  return frame;
}

function request(mac: Buffer, targetIp: number): Buffer {
  return encodeArpFrame({
    destination: Buffer.alloc(6, 0xff),
    source: mac,
    operation: ARP_REQUEST,
    senderMac: mac,
    senderIp: 0x0a_00_00_02,
    targetMac: Buffer.alloc(6),
    targetIp,
  });
}
