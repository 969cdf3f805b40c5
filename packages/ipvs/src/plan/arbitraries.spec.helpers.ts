/**
 * Generators for property tests of the planner: what may happen to a handful of Services, slices and nodes, so few that they get in
 * each other's way (two Services want one port, slices of one Service overlap, all nodes are unhealthy at once).
 */
import fc from 'fast-check';
import type { CheckInput, EndpointInput, EndpointsInput, NodeInput, ServiceInput } from './input.js';
import type { Planner } from './planner.js';

export type PlanEvent =
  | { kind: 'service'; input: ServiceInput }
  | { kind: 'service gone'; name: string }
  | { kind: 'endpoints'; input: EndpointsInput }
  | { kind: 'endpoints gone'; name: string }
  | { kind: 'node'; input: NodeInput }
  | { kind: 'node gone'; name: string }
  | { kind: 'health'; name: string; healthy: boolean }
  | { kind: 'suspect'; name: string; suspect: boolean }
  | { kind: 'check'; input: CheckInput };

export function tell(planner: Planner, event: PlanEvent): void {
  switch (event.kind) {
    case 'service':
      planner.setService(event.input);
      break;
    case 'service gone':
      planner.deleteService(event.name);
      break;
    case 'endpoints':
      planner.setEndpoints(event.input);
      break;
    case 'endpoints gone':
      planner.deleteEndpoints(event.name);
      break;
    case 'node':
      planner.setNode(event.input);
      break;
    case 'node gone':
      planner.deleteNode(event.name);
      break;
    case 'health':
      planner.setNodeHealth(event.name, event.healthy);
      break;
    case 'suspect':
      planner.setNodeSuspect(event.name, event.suspect);
      break;
    case 'check':
      planner.setCheck(event.input);
      break;
  }
}

const SERVICES = ['shop/a', 'shop/b', 'shop/c'];
const NODES = ['n1', 'n2', 'n3'];
const protocol = fc.constantFrom('tcp' as const, 'udp' as const);
const portName = fc.constantFrom({}, { name: 'http' });

/** A property that is there or not, so that objects differ in their keys as objects of an API server do. */
function maybe<K extends string, T>(key: K, value: fc.Arbitrary<T>): fc.Arbitrary<{ [P in K]?: T }> {
  return fc
    .option(value, { nil: undefined })
    .map((given) => (given === undefined ? {} : { [key]: given })) as fc.Arbitrary<{
    [P in K]?: T;
  }>;
}

function merged<T extends object[]>(...parts: { [I in keyof T]: fc.Arbitrary<T[I]> }): fc.Arbitrary<T[number]> {
  return fc.tuple(...parts).map((objects) => Object.assign({}, ...objects));
}

const servicePort = merged(
  fc.record({ port: fc.constantFrom(80, 443), protocol }),
  portName,
  maybe('nodePort', fc.constantFrom(30080, 30443)),
);

function service(name: string): fc.Arbitrary<ServiceInput> {
  return merged(
    fc.record({
      name: fc.constant(name),
      vips: fc.uniqueArray(fc.constantFrom('10.77.0.200', '10.77.0.21', 'fd00:77::200'), { maxLength: 3 }),
      ports: fc.array(servicePort, { maxLength: 3 }),
    }),
    maybe('local', fc.boolean()),
    maybe('withoutNodePorts', fc.boolean()),
    maybe('forwarding', fc.constantFrom('pod', 'node', 'nonsense')),
    maybe('scheduler', fc.constantFrom('rr', 'mh,mh-port', 'nonsense')),
    maybe('persistenceSeconds', fc.constantFrom(60, 10_800)),
    maybe('sourceRanges', fc.constantFrom([], ['10.0.0.0/8', 'nonsense'], ['fd00::/8'])),
  ) as fc.Arbitrary<ServiceInput>;
}

const endpoint = (family: 'ipv4' | 'ipv6'): fc.Arbitrary<EndpointInput> =>
  merged(
    fc.record({
      address: fc.constantFrom(...(family === 'ipv4' ? ['10.244.1.9', '10.244.1.10', '10.244.2.2'] : ['fd00:244::9'])),
    }),
    maybe('node', fc.constantFrom(...NODES, 'n4')),
    maybe('terminating', fc.constant(true)),
  ) as fc.Arbitrary<EndpointInput>;

function slice(name: string): fc.Arbitrary<EndpointsInput> {
  return fc.constantFrom('ipv4' as const, 'ipv6' as const).chain((family) =>
    fc.record({
      name: fc.constant(name),
      service: fc.constantFrom(...SERVICES),
      family: fc.constant(family),
      ports: fc.array(merged(fc.record({ port: fc.constantFrom(8080, 9090), protocol }), portName), { maxLength: 2 }),
      endpoints: fc.array(endpoint(family), { maxLength: 4 }),
    }),
  ) as fc.Arbitrary<EndpointsInput>;
}

function node(name: string): fc.Arbitrary<NodeInput> {
  return fc.record({
    name: fc.constant(name),
    internalIPs: fc.uniqueArray(
      fc.constantFrom('10.77.0.11', '10.77.0.9', '10.77.0.100', 'fd00:77::11', 'fd00:77::a'),
      {
        maxLength: 3,
      },
    ),
    ready: fc.boolean(),
    excluded: fc.constantFrom(false, false, true),
  });
}

function check(service: string): fc.Arbitrary<CheckInput> {
  return merged(
    fc.record({
      service: fc.constant(service),
      address: fc.constantFrom('10.77.0.11', '10.77.0.9', '10.244.1.9'),
      healthy: fc.boolean(),
    }),
    maybe('port', fc.constantFrom(30080, 8080)),
  ) as fc.Arbitrary<CheckInput>;
}

/** What happens to one thing, in this order: for a watch delivers one object's versions in order, and some more than once. */
function history(...events: fc.Arbitrary<PlanEvent>[]): fc.Arbitrary<PlanEvent[]> {
  return fc.array(fc.oneof(...events), { maxLength: 6 });
}

export const histories: fc.Arbitrary<PlanEvent[][]> = fc.tuple(
  ...SERVICES.map((name) =>
    history(
      service(name).map((input) => ({ kind: 'service', input })),
      fc.constant({ kind: 'service gone', name }),
      check(name).map((input) => ({ kind: 'check', input })),
    ),
  ),
  ...['shop/a-1', 'shop/a-2', 'shop/b-1'].map((name) =>
    history(
      slice(name).map((input) => ({ kind: 'endpoints', input })),
      fc.constant({ kind: 'endpoints gone', name }),
    ),
  ),
  ...NODES.map((name) =>
    history(
      node(name).map((input) => ({ kind: 'node', input })),
      fc.constant({ kind: 'node gone', name }),
      fc.boolean().map((healthy) => ({ kind: 'health', name, healthy })),
      fc.boolean().map((suspect) => ({ kind: 'suspect', name, suspect })),
    ),
  ),
);

/** One order in which all of it can happen: whose turn it is, by number. */
export function interleaved(histories: PlanEvent[][]): fc.Arbitrary<PlanEvent[]> {
  const turns = histories.flatMap((events, index) => events.map(() => index));
  return fc.shuffledSubarray(turns, { minLength: turns.length }).map((order) => {
    const queues = histories.map((events) => [...events]);
    return order.map((index) => queues[index]!.shift()!);
  });
}

/** The last word on everything, and nothing that was taken back: what a process that starts now is told. */
export function lastWords(histories: PlanEvent[][]): PlanEvent[] {
  return histories.flatMap((events) => {
    const goneAt = events.findLastIndex(({ kind }) => kind.endsWith(' gone'));
    const last = new Map(events.slice(goneAt + 1).map((event) => [subject(event), event]));
    return [...last.values()];
  });
}

function subject(event: PlanEvent): string {
  if (event.kind !== 'check') return event.kind;
  const { address, port } = event.input;
  return `check ${address} ${port}`;
}
