/**
 * What it costs to know what to do: a plan for 10,000 Services and 100 nodes from nothing, and one more step when an EndpointSlice or
 * a Service changes. Four fifths of the Services are forwarded to all nodes, a tenth to nodes with Pods, a tenth to Pods.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type EndpointsInput, type NodeInput, Planner, type ServiceInput } from '@fairlead/ipvs';
import type { Bench, BenchContext } from './bench.js';
import { judge, type Row } from './row.js';
import { median, percentile } from './statistics.js';

const SERVICES = 10_000;
const NODES = 100;
/** Ready Pods of a Service; those whose endpoints change have one on every node, so that a step costs the most that it can. */
const PODS = 10;
const TRIALS = 5;
const STEPS = 2_000;
const STEP_LIMIT_MS = 1;

export const bench: Bench = {
  name: 'plan',
  title: `planning ${SERVICES} Services on ${NODES} nodes: from nothing (time, heap), and step by step`,
  needs: 'none',
  run: (context) => Promise.resolve(run(context)),
};

function run(context: BenchContext): Row[] {
  const input = world();
  context.step('planning from nothing');
  const cold = Array.from({ length: TRIALS }, () => {
    context.signal.throwIfAborted();
    return timed(() => void planned(input).take());
  });
  const before = heapMiB();
  const planner = planned(input);
  planner.take();
  const heap = heapMiB() - before;
  context.step('one change at a time');
  const slices = Array.from({ length: STEPS }, (_, n) => {
    // In turn the hundred last ones that look at endpoints; each loses and regains a Pod.
    const turn = n % 100;
    const service = SERVICES - 10 * (turn >> 1) - (turn % 2 === 0 ? 1 : 2);
    const slice = sliceOf(service, NODES - (Math.floor(n / 100) % 2));
    return step(planner, () => planner.setEndpoints(slice));
  });
  const services = Array.from({ length: STEPS }, (_, n) => {
    const service = { ...serviceOf(n % 100), persistenceSeconds: 60 + n };
    return step(planner, () => planner.setService(service));
  });
  const health = Array.from({ length: 10 }, (_, n) =>
    timed(() => {
      planner.setNodeHealth('n7', n % 2 === 1);
      planner.take();
    }),
  );
  const name = `${SERVICES}x${NODES}`;
  const stepRow = (suffix: string, samples: number[]) =>
    judge({ name: `plan.step.${name}${suffix}`, value: median(samples), unit: 'ms', limit: STEP_LIMIT_MS, samples });
  return [
    judge({ name: `plan.cold.${name}`, value: median(cold), unit: 'ms', samples: cold }),
    judge({ name: `plan.cold.${name}.heap`, value: heap, unit: 'MiB' }),
    stepRow('', slices),
    // Collections of garbage, and whatever else the machine does.
    judge({ name: `plan.step.${name}.p99`, value: percentile(slices, 99), unit: 'ms' }),
    stepRow('.service', services),
    judge({ name: `plan.node.${name}`, value: median(health), unit: 'ms', samples: health }),
  ];
}

interface World {
  services: ServiceInput[];
  slices: EndpointsInput[];
  nodes: NodeInput[];
}

function world(): World {
  const numbers = Array.from({ length: SERVICES }, (_, n) => n);
  return {
    services: numbers.map(serviceOf),
    slices: numbers.map((n) => sliceOf(n, PODS)),
    nodes: Array.from({ length: NODES }, (_, n) => ({
      name: `n${n}`,
      internalIPs: [`10.0.${n >> 8}.${n & 255}`],
      ready: true,
      excluded: false,
    })),
  };
}

function serviceOf(n: number): ServiceInput {
  return {
    name: `default/s${n}`,
    vips: [`10.77.${n >> 8}.${n & 255}`],
    ports: [{ port: 80, nodePort: 30_000 + (n % 2_768), protocol: 'tcp' }],
    ...(n % 10 === 8 ? { local: true } : {}),
    ...(n % 10 === 9 ? { forwarding: 'pod' } : {}),
  };
}

function sliceOf(n: number, pods: number): EndpointsInput {
  return {
    name: `default/s${n}-1`,
    service: `default/s${n}`,
    family: 'ipv4',
    ports: [{ port: 8080, protocol: 'tcp' }],
    endpoints: Array.from({ length: pods }, (_, pod) => {
      const node = (n + pod) % NODES;
      return { address: `10.${100 + (n >> 8)}.${n & 255}.${pod + 1}`, node: `n${node}` };
    }),
  };
}

function planned({ services, slices, nodes }: World): Planner {
  const planner = new Planner();
  for (const node of nodes) planner.setNode(node);
  for (const service of services) planner.setService(service);
  for (const slice of slices) planner.setEndpoints(slice);
  return planner;
}

function step(planner: Planner, event: () => void): number {
  return timed(() => {
    event();
    planner.take();
  });
}

function timed(work: () => void): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}

/** After a collection, so that it is what is held and not what was used on the way. */
function heapMiB(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed / 2 ** 20;
}
