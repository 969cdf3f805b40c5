/**
 * The owner of all virtual routers falls silent: how long from the next one's decision until it has announced every VIP. The
 * decision's sign on the wire is the first advertisement, which goes before anything else. Beside it: the same frames, sent in one go.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { gratuitousArp, unsolicitedAdvertisement, type VirtualRouterChange, vipKey } from '@fairlead/speaker';
import type { GroupContext, RowGroup } from '../groups.js';
import { judge, type Row } from '../row.js';
import { median } from '../statistics.js';
import { advertisedId, announcedAddress, type Frame } from './observer.js';
import { Stand, virtualRouter } from './stand.js';

const VIRTUAL_ROUTERS = 16;
const VIPS = 1_000;
const LIMIT_MS = 200;
const TIMEOUT_MS = 30_000;
/** Until what was under way has arrived: the next trial must not take it for its own. */
const QUIET_MS = 500;
/** Less than a standby waits. */
const STANDBY_MS = 100;

export const rows: RowGroup = {
  name: 'takeover',
  run: async (context) => [...(await takeovers(context, 'ipv4')), ...(await takeovers(context, 'ipv6'))],
};

async function takeovers(context: GroupContext, family: 'ipv4' | 'ipv6'): Promise<Row[]> {
  const stand = await Stand.start();
  try {
    const routers = Array.from({ length: VIRTUAL_ROUTERS }, (_, n) => virtualRouter(n, VIPS, family));
    stand.configure(routers);
    const values: number[] = [];
    const bare: number[] = [];
    while (values.length < context.samples) {
      context.signal.throwIfAborted();
      bare.push(await bareFrames(stand, routers));
      values.push(await takeover(stand, routers));
      const [ms, bareMs] = [values, bare].map((all) => Math.round(all.at(-1)!));
      context.step(`${family}, trial ${values.length} of ${context.samples}: ${ms} ms, its frames alone ${bareMs} ms`);
    }
    if (stand.errors.length > 0) context.step(`the wire thread said: ${[...new Set(stand.errors)].join('; ')}`);
    const name = `wire.takeover.${VIRTUAL_ROUTERS}x${VIPS}${family === 'ipv4' ? '' : '.ndp'}`;
    return [
      judge({ name, value: Math.max(...values), unit: 'ms', limit: LIMIT_MS, samples: values }),
      judge({
        name: `${name}.p50`,
        value: median(values),
        unit: 'ms',
        reference: { name: 'its frames alone', value: median(bare) },
      }),
    ];
  } finally {
    await stand.stop();
  }
}

async function takeover(stand: Stand, routers: readonly VirtualRouterChange[]): Promise<number> {
  stand.tell({ kind: 'fit', fit: true, why: '' });
  await sleep(STANDBY_MS);
  const decided = (frame: Frame) =>
    advertisedId(frame) !== undefined && stand.stationMac.equals(frame.bytes.subarray(6, 12));
  const announced = allAnnounced(stand, decided);
  stand.advertise(routers);
  const ms = await announced;
  stand.tell({ kind: 'fit', fit: false, why: 'the next trial' });
  await sleep(QUIET_MS);
  return ms;
}

/** What the kernel takes for as many frames that were made before, sent in one go. */
async function bareFrames(stand: Stand, routers: readonly VirtualRouterChange[]): Promise<number> {
  const mac = stand.stationMac;
  const keys = routers.flatMap(({ added }) => added.map(({ address }) => vipKey(address)));
  const frames = keys.map((key) =>
    typeof key === 'number' ? gratuitousArp(key, mac)[0] : unsolicitedAdvertisement(key, mac),
  );
  const announced = allAnnounced(stand, () => true);
  stand.sendAsStation(frames);
  const ms = await announced;
  await sleep(QUIET_MS);
  return ms;
}

/** From the first frame for which `begins` holds to the first announcement of the last VIP, ms. */
function allAnnounced({ observer }: Stand, begins: (frame: Frame) => boolean): Promise<number> {
  return new Promise((resolve, reject) => {
    const announced = new Set<number | string>();
    let beganMs: number | undefined;
    const late = setTimeout(() => {
      reject(new Error(`${announced.size} of ${VIRTUAL_ROUTERS * VIPS} VIPs were announced within ${TIMEOUT_MS} ms`));
    }, TIMEOUT_MS);
    observer.listen((frame) => {
      if (beganMs === undefined && begins(frame)) beganMs = frame.atMs;
      const vip = announcedAddress(frame);
      if (vip === undefined || beganMs === undefined) return;
      announced.add(vip);
      if (announced.size < VIRTUAL_ROUTERS * VIPS) return;
      observer.listen(() => {});
      clearTimeout(late);
      resolve(frame.atMs - beganMs);
    });
  });
}
