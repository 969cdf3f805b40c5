/**
 * A cluster of three nodes in which nothing happens, with 100 Services: what each speaker takes of a processor, and what Fairlead (the
 * speakers and the controller) asks of the API server. With either engine. With VRRP also where one node owns all of a pool's virtual
 * routers, as after the other two were away; with sixteen of them it sends 320 advertisements a second.
 *
 * Processor time is of the worst of the three speakers, in per cent of one processor. Beside it, in the same windows, that of a process which does
 * nothing but wake up ten times a second in a second thread and, for VRRP, send as many packets as the owner does (`bare`): what Node, the kernel and
 * the simulated LAN take at least. All hosts of that LAN are on this machine, and a packet's way through its bridge and into the receiving host is
 * charged to whoever sends it. So is, where a hypervisor has given the processor to others meanwhile, the filling of cold caches.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster } from '../../e2e/cluster.js';
import type { GroupContext, RowGroup } from '../groups.js';
import { cpuMs, cpuMsByThread } from '../process-figures.js';
import { judge, type Row } from '../row.js';
import { requestsOf, startBare, startNode } from './rest.js';

const SERVICES = 100;
const WINDOW_MS = 5_000;
const CPU_LIMIT_PERCENT = 1;
const REQUESTS_LIMIT = 1;
/** Bursts of announcements, first probes and Events are over by then, and V8 has compiled most of what goes on at rest. */
const SETTLE_MS = 120_000;

interface Case {
  name: string;
  election: 'lease' | 'vrrp';
  virtualRouters: number;
}

const CASES: readonly Case[] = [
  { name: 'lease', election: 'lease', virtualRouters: 8 },
  { name: 'vrrp', election: 'vrrp', virtualRouters: 8 },
  { name: 'vrrp.16', election: 'vrrp', virtualRouters: 16 },
];

interface Measured {
  /** Of the worst speaker, by window. */
  cpuPercent: number[];
  requestsPerSecond: number;
  /** Of the speakers alone: the controller renews a Lease of its own, however many virtual routers there are. */
  speakersPerSecond: number;
  emptyNodePercent: number;
  barePercent: number;
}

/** Advertisements of the owner to both others each time. */
const PEERS = 2;

export const rows: RowGroup = {
  name: 'idle',
  run: async (context) => {
    const measured = new Map<string, Measured>();
    for (const one of CASES) measured.set(one.name, await rest(context, one));
    const mean = ({ cpuPercent }: Measured) =>
      cpuPercent.reduce((sum, percent) => sum + percent, 0) / cpuPercent.length;
    const cpu = [...measured].map(([name, one]) =>
      judge({
        name: `speaker.idle.cpu.${name}`,
        value: mean(one),
        unit: '%',
        limit: CPU_LIMIT_PERCENT,
        samples: one.cpuPercent,
      }),
    );
    const bare = [...measured].map(([name, { barePercent }]) =>
      judge({ name: `speaker.idle.cpu.${name}.bare`, value: barePercent, unit: '%' }),
    );
    const worst = Math.max(...cpu.map(({ value }) => value));
    return [
      judge({ name: 'speaker.idle.cpu', value: worst, unit: '%', limit: CPU_LIMIT_PERCENT }),
      ...cpu,
      ...bare,
      judge({
        name: 'speaker.idle.cpu.empty-node',
        value: Math.max(...[...measured.values()].map(({ emptyNodePercent }) => emptyNodePercent)),
        unit: '%',
      }),
      perVirtualRouter('api.idle.lease', measured.get('lease')!, 8),
      inAll('api.idle.vrrp', measured.get('vrrp')!),
      inAll('api.idle.vrrp.16', measured.get('vrrp.16')!),
    ];
  },
};

/** In hundredths: one renewal a second and a watch now and then are one. */
function perVirtualRouter(name: string, { speakersPerSecond }: Measured, virtualRouters: number): Row {
  const value = Math.round((speakersPerSecond / virtualRouters) * 100) / 100;
  return judge({ name, value, unit: 'requests/s per virtual router', limit: REQUESTS_LIMIT });
}

function inAll(name: string, { requestsPerSecond }: Measured): Row {
  return judge({ name, value: requestsPerSecond, unit: 'requests/s', limit: REQUESTS_LIMIT });
}

async function rest(context: GroupContext, { name, election, virtualRouters }: Case): Promise<Measured> {
  context.step(`${name}: a cluster with ${SERVICES} Services and ${virtualRouters} virtual routers`);
  const cluster = await Cluster.start('nftables');
  const stop = () => void cluster.stop();
  context.signal.addEventListener('abort', stop);
  const empty = startNode();
  const { lab } = cluster;
  const bare = startBare(lab, election === 'vrrp' ? PEERS * virtualRouters : 0);
  try {
    // The first node is there alone at first, so that it owns everything.
    const [, ...others] = lab.nodes;
    await Promise.all(others.map((node) => cluster.stopSpeaker(node)));
    await cluster.createPoolWith('public', { addresses: ['10.77.0.101-10.77.0.240'], election, virtualRouters });
    await Promise.all(Array.from({ length: SERVICES }, (_, n) => cluster.createService(`web-${n}`, 'public')));
    for (let n = 0; n < SERVICES; n++) await cluster.vipOf(`web-${n}`);
    await cluster.served(await cluster.vipOf('web-0'));
    for (const node of others) cluster.startSpeaker(node);
    await sleep(SETTLE_MS);
    const pids = lab.nodes.map((node) => cluster.speakers.get(node.name)!.pid);
    const before = {
      requests: await requestsOf(lab),
      threads: pids.map(cpuMsByThread),
      empty: cpuMs(empty.pid),
      bare: cpuMs(bare.pid),
    };
    const cpuPercent: number[] = [];
    for (let window = 0; window < context.samples; window++) {
      context.signal.throwIfAborted();
      const from = pids.map(cpuMs);
      const since = performance.now();
      await sleep(WINDOW_MS);
      const spent = pids.map((pid, index) => cpuMs(pid) - from[index]!);
      cpuPercent.push((Math.max(...spent) / (performance.now() - since)) * 100);
    }
    const after = await requestsOf(lab);
    const seconds = (after.atMs - before.requests.atMs) / 1000;
    const asked = difference(after.counts, before.requests.counts);
    const sum = (counts: [string, number][]) => counts.reduce((total, [, count]) => total + count, 0);
    const requests = sum(Object.entries(asked));
    const ofSpeakers = sum(Object.entries(asked).filter(([client]) => client.startsWith('fairlead-speaker')));
    context.step(`${name}: ${requests} requests in ${seconds.toFixed(0)} s: ${JSON.stringify(asked)}`);
    for (const [index, pid] of pids.entries()) {
      const spent = difference(cpuMsByThread(pid), before.threads[index]!);
      context.step(`${name}: ${lab.nodes[index]!.name}, ms of processor time by thread: ${JSON.stringify(spent)}`);
    }
    const emptyNodePercent = (cpuMs(empty.pid) - before.empty) / (seconds * 10);
    const barePercent = (cpuMs(bare.pid) - before.bare) / (seconds * 10);
    const [requestsPerSecond, speakersPerSecond] = [requests / seconds, ofSpeakers / seconds];
    return { cpuPercent, requestsPerSecond, speakersPerSecond, emptyNodePercent, barePercent };
  } finally {
    context.signal.removeEventListener('abort', stop);
    empty.stop();
    bare.stop();
    await cluster.stop();
  }
}

/** What has grown, and by how much. */
function difference(after: Record<string, number>, before: Record<string, number>): Record<string, number> {
  const grown = Object.entries(after).map(([key, count]) => [key, count - (before[key] ?? 0)] as const);
  return Object.fromEntries(grown.filter(([, count]) => count > 0));
}
