/**
 * What the director costs: VIP → NodePort → pod on another node, through IPVS in the director of the VIP's owner, beside
 * the same path by plain DNAT and masquerade in the owner's own namespace, which is what kube-proxy does. The two are
 * measured in turns, so that a machine that is busier for a while is so for both.
 *
 *   client ── LAN ── n1: director (IPVS) ─────┐
 *                    n1: host, DNAT           ├── n2: NodePort → pod
 *                    n3: director (nftables) ─┘
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Forwarder, NftCommand } from '@fairlead/ipvs';
import { Speaker } from '../../forwarder/speaker.js';
import { type Node, Topology } from '../../forwarder/topology.js';
import type { GroupContext, RowGroup } from '../groups.js';
import { judge, type Row } from '../row.js';

/** At least this share of the reference's throughput: the director may cost 15 %. */
const THROUGHPUT_LIMIT = 0.85;
/** Short and many: a machine that is disturbed now and then is not so for all of them. */
const ROUNDS_A_SAMPLE = 4;
const SECONDS = 0.7;
const CLIENTS = 4;
const [CONNECTIONS_PORT, STREAM_PORT] = [80, 81];
const NODE_PORTS = [30_090, 30_091];
const POD_PORTS = [8_090, 8_091];
/** USER_HZ: in what /proc/stat counts, whatever the kernel's own tick. */
const TICKS_PER_SECOND = 100;
const GB = 1e9;

const LOAD = fileURLToPath(new URL('../../../bench/ipvs/load.pl', import.meta.url));

interface Way {
  name: 'ipvs' | 'nftables' | 'reference';
  vip: string;
}

const WAYS: readonly Way[] = [
  { name: 'ipvs', vip: '10.77.0.200' },
  { name: 'reference', vip: '10.77.0.201' },
  { name: 'nftables', vip: '10.77.0.202' },
];

/** One run: how much got through each second, and how much of all processors that took. */
interface Sample {
  perSecond: number;
  cpuSecondsPerUnit: number;
}

type Samples = Record<Way['name'], Sample[]>;

export const rows: RowGroup = { name: 'path', run };

async function run(context: GroupContext): Promise<Row[]> {
  const rounds = ROUNDS_A_SAMPLE * context.samples;
  const topology = new Topology(`fl-path-${process.pid}`);
  const speakers: Speaker[] = [];
  let server: ChildProcess | undefined;
  try {
    context.step('path: building a client, three nodes and their directors');
    await topology.start();
    const [first, second, third] = topology.nodes as [Node, Node, Node];
    new NftCommand(second.netns).run(kubeProxyOf(second.number));
    new NftCommand(first.netns).run(plainDnat(wayOf('reference').vip, second.addresses[0]!));
    speakers.push(direct(first, 'ipvs', second), direct(third, 'nftables', second));
    for (const { name, vip } of WAYS) topology.announce(vip, name === 'nftables' ? third : first);
    server = await serve(second.pod.netns);

    const connections: Samples = { ipvs: [], nftables: [], reference: [] };
    const throughput: Samples = { ipvs: [], nftables: [], reference: [] };
    for (let round = 0; round <= rounds; round++) {
      context.signal.throwIfAborted();
      context.step(round === 0 ? 'path: warming up' : `path: round ${round} of ${rounds}`);
      // Each way comes first, second and third equally often.
      for (const { name, vip } of rotated(WAYS, round)) {
        const opening = await measure(topology.client.netns, 'connect', vip, CONNECTIONS_PORT!);
        const streaming = await measure(topology.client.netns, 'stream', vip, STREAM_PORT!);
        if (round === 0) continue;
        connections[name].push(opening);
        throughput[name].push(streaming);
      }
    }
    return [
      ...rowsOf('connections', 'connections/s', connections, { unit: 1_000, of: '1000 connections' }),
      ...rowsOf('throughput', 'MB/s', throughput, { unit: GB, of: 'GB', scale: 1e6, limit: THROUGHPUT_LIMIT }),
    ];
  } finally {
    server?.kill('SIGKILL');
    for (const speaker of speakers) speaker.close();
    await topology.stop();
  }
}

function wayOf(name: Way['name']): Way {
  return WAYS.find((way) => way.name === name)!;
}

/** Makes `owner` forward its VIP to the NodePorts of `target`, as a speaker would. */
function direct(owner: Node, kind: Forwarder['kind'], target: Node): Speaker {
  const { vip } = wayOf(kind);
  const speaker = new Speaker(owner, kind);
  const desired = {
    vips: [vip],
    virtualServers: [CONNECTIONS_PORT!, STREAM_PORT!].map((port, index) => ({
      address: vip,
      port,
      protocol: 'tcp' as const,
      scheduler: 'rr',
      realServers: [{ address: target.addresses[0]!, port: NODE_PORTS[index]!, weight: 1 }],
    })),
  };
  speaker.program(desired);
  speaker.claim();
  return speaker;
}

/** What kube-proxy has on the node with the pod, for the ports of this benchmark. */
function kubeProxyOf(number: number): string {
  const rules = NODE_PORTS.map(
    (port, index) =>
      `fib daddr type local tcp dport ${port} meta mark set 0x4000 dnat to 10.244.${number}.2:${POD_PORTS[index]}`,
  );
  return `table ip bench-node-ports {
    chain prerouting { type nat hook prerouting priority -100; ${rules.join('; ')}; }
  }`;
}

/** The reference: the VIP's ports translated in the host's own namespace, in a map as kube-proxy's nftables mode has one. */
function plainDnat(vip: string, target: string): string {
  const entries = [CONNECTIONS_PORT, STREAM_PORT].map(
    (port, index) => `${vip} . tcp . ${port} : ${target} . ${NODE_PORTS[index]}`,
  );
  return `table ip bench-reference {
    map services { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; elements = { ${entries.join(', ')} } }
    chain prerouting { type nat hook prerouting priority -100; ip daddr ${vip} meta mark set 0x4000 dnat to ip daddr . meta l4proto . th dport map @services; }
  }`;
}

async function serve(netns: string): Promise<ChildProcess> {
  const child = load(netns, ['serve', ...POD_PORTS.map(String)], ['ignore', 'pipe', 'inherit']);
  await new Promise<void>((resolve, reject) => {
    child.stdout!.once('data', () => resolve());
    child.once('error', reject).once('exit', (code) => reject(new Error(`load.pl serve ended with ${code}`)));
  });
  return child;
}

async function measure(netns: string, what: string, vip: string, port: number): Promise<Sample> {
  const busy = busySeconds();
  const child = load(netns, [what, vip, ...[port, SECONDS, CLIENTS].map(String)], ['ignore', 'pipe', 'inherit']);
  let text = '';
  child.stdout!.on('data', (data) => {
    text += data;
  });
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  if (code !== 0) throw new Error(`load.pl ${what} to ${vip}:${port} ended with ${code}`);
  const units = Number(text);
  return { perSecond: units / SECONDS, cpuSecondsPerUnit: (busySeconds() - busy) / units };
}

function load(netns: string, args: string[], stdio: ('ignore' | 'pipe' | 'inherit')[]): ChildProcess {
  return spawn(
    'setpriv',
    ['--pdeathsig', 'KILL', 'nsenter', `--net=/run/netns/${netns}`, '--', 'perl', LOAD, ...args],
    { stdio },
  );
}

/** Of all processors since the start of the machine, whatever they did. */
function busySeconds(): number {
  // cpu user nice system idle iowait irq softirq steal
  const fields = readFileSync('/proc/stat', 'utf8').split('\n')[0]!.split(/\s+/).slice(1, 9).map(Number);
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = fields;
  return (user + nice + system + irq + softirq) / TICKS_PER_SECOND;
}

function rowsOf(
  what: string,
  unit: string,
  samples: Samples,
  options: { unit: number; of: string; scale?: number; limit?: number },
): Row[] {
  const { scale = 1, limit } = options;
  const rates = (name: Way['name']) => samples[name].map(({ perSecond }) => perSecond / scale);
  const costs = (name: Way['name']) => samples[name].map(({ cpuSecondsPerUnit }) => cpuSecondsPerUnit * options.unit);
  const row = (name: 'ipvs' | 'nftables', suffix: string) => [
    judge({
      name: `ipvs.path.${what}${suffix}`,
      value: Math.max(...rates(name)),
      unit,
      reference: { name: 'DNAT on the host', value: Math.max(...rates('reference')) },
      samples: rates(name),
      better: 'higher',
      ...(limit === undefined ? {} : { limit }),
    }),
    judge({
      name: `ipvs.path.${what}${suffix}.cpu`,
      value: Math.min(...costs(name)),
      unit: `CPU s/${options.of}`,
      reference: { name: 'DNAT on the host', value: Math.min(...costs('reference')) },
      samples: costs(name),
    }),
  ];
  return [...row('ipvs', ''), ...row('nftables', '.nftables')];
}

function rotated<T>(list: readonly T[], by: number): T[] {
  const start = by % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}
