/**
 * What the controller adds to the time that the API server needs anyway. Everything is a process of its own, as in a cluster:
 * the lab's API server, the controller as the CLI starts it, and a client without logic that writes the same statuses.
 *
 * The reference is what a status costs in the same client: one PATCH of the status subresource with the same content
 * (finalizer, condition and ingress) over as many connections. The finalizer is metadata; API servers take it with the status
 * of a Service, so controller and reference both write once a Service.
 * - allocate: the same Services are created at once by the same creator, and the client without logic is told of each as soon as
 *   it is there. Time counts from the first creation to the last address.
 * - backlog: time counts from the start of the process. Node's own start is in both; the lists, the Lease and the election
 *   are the controller's alone.
 * Which is measured first alternates from round to round; ratios are of the medians. `.cpu` rows say what of it is work of the
 * process itself, on a machine where others keep the processors busy too.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { epochMs } from '@fairlead/lab';
import type { Bench, BenchContext } from './bench.js';
import type { ServerReport } from './controller/messages.js';
import { Stand } from './controller/stand.js';
import { judge, type Row } from './row.js';
import { median } from './statistics.js';

const ROUNDS = 3;
const SERVICES = 5_000;
const MANY = 10_000;
/** A client without logic has no line to say that it is ready; starting takes it a fraction of this. */
const START_MS = 1_000;
/** Longer than the counters of pools take to be written. */
const QUIET_MS = 1_500;
/** V8 gives back what a burst took some ten seconds after it has become idle. */
const REST_MS = 20_000;

export const bench: Bench = {
  name: 'controller',
  title: `addresses for ${SERVICES} and ${MANY} Services, beside bare status patches (--rounds N, default ${ROUNDS})`,
  needs: 'none',
  run,
};

interface Measured {
  wallMs: number;
  /** Processor time of the client. */
  cpuMs: number;
}

async function run(context: BenchContext): Promise<Row[]> {
  const rounds = roundsFrom(context.args);
  const rows: Row[] = [];
  const five = await compare(context, `allocating ${SERVICES}`, rounds, (kind) => allocate(kind, SERVICES));
  rows.push(...comparedRows(`controller.allocate.${SERVICES}`, five, 1.15));
  const ten = await compare(context, `allocating ${MANY}`, rounds, (kind) => allocate(kind, MANY));
  rows.push(...comparedRows(`controller.allocate.${MANY}`, ten));
  rows.push(
    judge({
      name: `controller.allocate.${MANY}.growth`,
      value: median(ten.ours.map(({ wallMs }) => wallMs)) / MANY,
      unit: 'ms/Service',
      reference: { name: `${SERVICES} Services`, value: median(five.ours.map(({ wallMs }) => wallMs)) / SERVICES },
      // Linear, and what two measurements of the same thing differ by.
      limit: 1.1,
    }),
  );
  const backlogs = await compare(context, `a backlog of ${SERVICES}`, rounds, (kind) => backlog(kind, SERVICES));
  rows.push(...comparedRows(`controller.backlog.${SERVICES}`, backlogs, 1.3));
  rows.push(...(await restart(context, rounds)));
  return rows;
}

type Kind = 'bare' | 'controller';
interface Compared {
  ours: Measured[];
  bare: Measured[];
}

async function compare(
  context: BenchContext,
  what: string,
  rounds: number,
  measure: (kind: Kind) => Promise<Measured>,
): Promise<Compared> {
  const compared: Compared = { ours: [], bare: [] };
  for (let round = 0; round < rounds; round++) {
    for (const kind of round % 2 === 0 ? (['bare', 'controller'] as const) : (['controller', 'bare'] as const)) {
      context.signal.throwIfAborted();
      const measured = await measure(kind);
      compared[kind === 'bare' ? 'bare' : 'ours'].push(measured);
      context.step(
        `${what}, ${kind}: ${Math.round(measured.wallMs)} ms, ${Math.round(measured.cpuMs)} ms of processor`,
      );
    }
  }
  return compared;
}

function comparedRows(name: string, { ours, bare }: Compared, limit?: number): Row[] {
  const row = (suffix: string, field: keyof Measured, more: { limit?: number }) => {
    const samples = ours.map((each) => Math.round(each[field]));
    const reference = { name: 'bare status patches', value: Math.round(median(bare.map((each) => each[field]))) };
    return judge({ name: name + suffix, value: median(samples), unit: 'ms', reference, samples, ...more });
  };
  return [row('', 'wallMs', limit === undefined ? {} : { limit }), row('.cpu', 'cpuMs', {})];
}

/** All created at once while the client is there already. */
function allocate(kind: Kind, count: number): Promise<Measured> {
  return withStand(async (stand) => {
    const client = kind === 'bare' ? stand.barePatches() : stand.controller();
    if (kind === 'bare') await sleep(START_MS);
    else await client.says('in use adopted');
    const [startMs, cpuMs] = [epochMs(), client.cpuMs()];
    const done = stand.addressed(count);
    const onCreated = kind === 'bare' ? (n: number) => client.send({ do: 'patch', n }) : undefined;
    await stand.createServices(count, onCreated);
    const endMs = await done;
    const measured = { wallMs: endMs - startMs, cpuMs: client.cpuMs() - cpuMs };
    check(await stand.report(), count);
    return measured;
  });
}

/** All there before the client is started. */
function backlog(kind: Kind, count: number): Promise<Measured> {
  return withStand(async (stand) => {
    await stand.seed(count);
    const { revision } = await stand.report();
    const client = kind === 'bare' ? stand.barePatches(count) : stand.controller();
    const endMs = await stand.addressed(count);
    const measured = { wallMs: endMs - client.startedMs, cpuMs: client.cpuMs() };
    const report = await stand.report();
    check(report, count);
    // Every patch of a Service has changed it: what else was written is the Lease, Events and the pool.
    const changes = report.revision - revision;
    if (changes < count)
      throw new Error(`${count} Services were written, but only ${changes} writes changed something`);
    return measured;
  });
}

/** With everything allocated, the controller is stopped and started again. */
function restart(context: BenchContext, rounds: number): Promise<Row[]> {
  return withStand(async (stand) => {
    await stand.seed(MANY);
    const first = stand.controller();
    await stand.addressed(MANY);
    await settled(stand);
    await sleep(REST_MS);
    const memory = [first.memory()];
    await first.stop();
    const readyMs: number[] = [];
    let writes = 0;
    for (let round = 0; round < rounds; round++) {
      const before = await stand.report();
      const next = stand.controller(`controller-${round}`);
      readyMs.push((await next.says('in use adopted')) - next.startedMs);
      await sleep(QUIET_MS);
      writes += writesOf(await stand.report()) - writesOf(before);
      memory.push(next.memory());
      await next.stop();
      context.step(`restart with ${MANY}: ${Math.round(readyMs.at(-1)!)} ms, ${Math.round(memory.at(-1)!.nowMb)} MB`);
    }
    const floor = await emptyProcess(stand);
    const rss = Math.max(...memory.map(({ nowMb }) => nowMb));
    const peak = Math.max(...memory.map(({ peakMb }) => peakMb));
    return [
      judge({
        name: `controller.restart.${MANY}`,
        value: Math.round(median(readyMs)),
        unit: 'ms',
        limit: 2_000,
        samples: readyMs,
      }),
      judge({ name: `controller.restart.${MANY}.writes`, value: writes, unit: 'writes', limit: 0 }),
      judge({
        name: `controller.rss.${MANY}`,
        value: Math.round(rss),
        unit: 'MB',
        limit: 180,
        samples: memory.map(({ nowMb }) => nowMb),
      }),
      judge({ name: `controller.rss.${MANY}.peak`, value: Math.round(peak), unit: 'MB' }),
      judge({ name: 'controller.rss.empty-node', value: Math.round(floor), unit: 'MB' }),
    ];
  });
}

/** Until the controller has told what there was to tell: Events come after the statuses. */
async function settled(stand: Stand): Promise<void> {
  for (let before = -1, { revision } = await stand.report(); revision !== before; ) {
    before = revision;
    await sleep(QUIET_MS);
    ({ revision } = await stand.report());
  }
}

async function emptyProcess(stand: Stand): Promise<number> {
  const empty = stand.emptyProcess();
  await sleep(START_MS);
  return empty.memory().nowMb;
}

/** To Services and pools, by whomever. */
function writesOf({ counts }: ServerReport): number {
  const written = Object.entries(counts).filter(([what]) => /^(patch|update) (services|addresspools)/.test(what));
  return written.reduce((sum, [, count]) => sum + count, 0);
}

/** @throws Error when a Service has no address of its own, or was written more than once */
function check(report: ServerReport, count: number): void {
  const { counts, addresses, services } = report;
  const different = new Set(addresses).size;
  const statuses = counts['patch services/status'] ?? 0;
  const others = (counts['patch services'] ?? 0) + (counts['update services'] ?? 0);
  if (services === count && different === count && statuses === count && others === 0) return;
  throw new Error(
    `${services} Services have ${different} different addresses after ${statuses} writes to statuses and ${others} to ` +
      `Services themselves; ${count} of the first three, and none of the last, were expected`,
  );
}

async function withStand<T>(work: (stand: Stand) => Promise<T>): Promise<T> {
  const stand = await Stand.start();
  try {
    await stand.createPool();
    return await work(stand);
  } finally {
    await stand.stop();
  }
}

function roundsFrom(args: readonly string[]): number {
  const index = args.indexOf('--rounds');
  const rounds = index < 0 ? ROUNDS : Number(args[index + 1]);
  if (!Number.isInteger(rounds) || rounds < 1) throw new TypeError('--rounds takes a whole number from 1 on');
  return rounds;
}
