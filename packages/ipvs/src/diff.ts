/**
 * What has to be done to a forwarder's kernel so that it holds the desired virtual servers, and nothing else. Pure.
 *
 * Operations come in an order that never leaves a virtual server without real servers on the way from one set to
 * another: everything is added before anything is taken away.
 *
 * Some schedulers (`mh`, `sh`, `dh`) build their table in the order in which the kernel got the real servers. For two
 * directors to send a client to the same real server that order has to be the same, whatever happened to each of them;
 * so there what is listed after a new real server is moved behind it.
 */
import {
  endpoint,
  type RealServer,
  type VirtualServer,
  type VirtualServerKey,
  virtualServerName,
} from './forwarder.js';

/** A virtual server without its real servers. */
export type ServiceSettings = Pick<
  VirtualServer,
  'address' | 'port' | 'protocol' | 'scheduler' | 'flags' | 'persistenceSeconds'
>;

export type Operation =
  | { kind: 'add-service' | 'set-service'; service: ServiceSettings }
  /** Deletes its real servers with it. */
  | { kind: 'delete-service'; service: VirtualServerKey }
  | { kind: 'add-destination' | 'set-destination'; service: VirtualServerKey; destination: RealServer }
  /** To the end of the kernel's list: away and back, with this weight. */
  | { kind: 'move-destination'; service: VirtualServerKey; destination: RealServer }
  | { kind: 'delete-destination'; service: VirtualServerKey; destination: RealServer };

export interface DiffOptions {
  /** Real servers are listed in the order in which the kernel got them, and that order counts; default: it does not. */
  ordered?: boolean;
  /** Whether a real server that is not desired stays with weight 0 instead of being deleted; default: none does. */
  drains?: (service: VirtualServerKey, realServer: RealServer) => boolean;
}

/** The way from one virtual server to another. */
export interface Step {
  /** What adds or changes. To be done before all removals, those of other virtual servers included. */
  writes: Operation[];
  /** What takes away: deletes, or sets a weight to 0. */
  removals: Operation[];
  /** What the kernel holds afterwards: real servers in the kernel's order, draining ones included. */
  after: VirtualServer | undefined;
  /** Those of `after` that are not desired. */
  draining: RealServer[];
}

/** From `actual` to `desired`; [] when they are equal. The order of virtual servers does not matter. */
export function diff(
  desired: readonly VirtualServer[],
  actual: readonly VirtualServer[],
  options: DiffOptions = {},
): Operation[] {
  const existing = new Map(actual.map((server) => [virtualServerName(server), server]));
  const steps = desired.map((server) => {
    const name = virtualServerName(server);
    const old = existing.get(name);
    existing.delete(name);
    return diffServer(server, old, options);
  });
  for (const server of existing.values()) steps.push(diffServer(undefined, server, options));
  return [...steps.flatMap(({ writes }) => writes), ...steps.flatMap(({ removals }) => removals)];
}

/**
 * Whether there is nothing to do, seen cheaply: real servers in the same order. Most are, where a process adopts what
 * another one left.
 */
export function isInLine(desired: VirtualServer | undefined, actual: VirtualServer | undefined): boolean {
  if (!desired || !actual) return desired === actual;
  const { realServers } = desired;
  const { realServers: others } = actual;
  if (realServers.length !== others.length || !sameSettings(desired, actual)) return false;
  for (let i = 0; i < realServers.length; i++) {
    const real = realServers[i]!;
    const other = others[i]!;
    if (real.address !== other.address || real.port !== other.port || real.weight !== other.weight) return false;
  }
  return true;
}

/** From `actual` to `desired` of one virtual server; undefined: there is none. */
export function diffServer(
  desired: VirtualServer | undefined,
  actual: VirtualServer | undefined,
  options: DiffOptions = {},
): Step {
  if (!desired) {
    const removals: Operation[] = actual ? [{ kind: 'delete-service', service: keyOf(actual) }] : [];
    return { writes: [], removals, after: undefined, draining: [] };
  }
  const step = diffRealServers(desired, actual?.realServers ?? [], options);
  if (!actual) step.writes.unshift({ kind: 'add-service', service: settingsOf(desired) });
  else if (!sameSettings(desired, actual)) step.writes.unshift({ kind: 'set-service', service: settingsOf(desired) });
  return step;
}

function diffRealServers(desired: VirtualServer, actual: readonly RealServer[], options: DiffOptions): Step {
  const service = keyOf(desired);
  const step: Step = { writes: [], removals: [], after: undefined, draining: [] };
  const wanted = new Set(desired.realServers.map(nameOf));
  const existing = new Map(actual.map((real) => [nameOf(real), real]));
  const inPlace =
    options.ordered && orderMatters(desired.scheduler)
      ? countInPlace(desired.realServers, actual)
      : desired.realServers.length;

  const appended: RealServer[] = [];
  const stays = new Map<string, RealServer>();
  for (const [index, destination] of desired.realServers.entries()) {
    const name = nameOf(destination);
    const old = existing.get(name);
    if (!old || index >= inPlace) {
      step.writes.push({ kind: old ? 'move-destination' : 'add-destination', service, destination });
      appended.push(destination);
      continue;
    }
    stays.set(name, destination);
    if (old.weight === destination.weight) continue;
    const operations = destination.weight === 0 ? step.removals : step.writes;
    operations.push({ kind: 'set-destination', service, destination });
  }
  for (const [name, old] of existing) {
    if (wanted.has(name)) continue;
    if (!options.drains?.(service, old)) {
      step.removals.push({ kind: 'delete-destination', service, destination: old });
      continue;
    }
    const destination = { ...old, weight: 0 };
    if (old.weight !== 0) step.removals.push({ kind: 'set-destination', service, destination });
    stays.set(name, destination);
    step.draining.push(destination);
  }
  const kept = actual.flatMap((real) => stays.get(nameOf(real)) ?? []);
  step.after = { ...settingsOf(desired), realServers: [...kept, ...appended] };
  return step;
}

/** These look at the list of real servers only when it changes, in its order. */
export function orderMatters(scheduler: string): boolean {
  return scheduler === 'mh' || scheduler === 'sh' || scheduler === 'dh';
}

/** How many of the desired, from the first on, are there in the desired order: all others can only be appended. */
function countInPlace(desired: readonly RealServer[], actual: readonly RealServer[]): number {
  const positions = new Map(actual.map((real, position) => [nameOf(real), position]));
  let last = -1;
  for (const [index, real] of desired.entries()) {
    const position = positions.get(nameOf(real));
    if (position === undefined || position < last) return index;
    last = position;
  }
  return desired.length;
}

/** The state after the operations; what a kernel would hold. Throws on an operation that it would refuse. */
export function apply(operations: readonly Operation[], state: readonly VirtualServer[]): VirtualServer[] {
  const servers = new Map(state.map((server) => [virtualServerName(server), server]));
  for (const operation of operations) {
    const name = virtualServerName(operation.service);
    const server = servers.get(name);
    if ((operation.kind === 'add-service') === (server !== undefined)) {
      throw new Error(`${operation.kind} ${name}: ${server ? 'it exists already' : 'there is none'}`);
    }
    if (operation.kind === 'delete-service') servers.delete(name);
    else servers.set(name, applied(operation, server));
  }
  return [...servers.values()];
}

function applied(
  operation: Exclude<Operation, { kind: 'delete-service' }>,
  server: VirtualServer | undefined,
): VirtualServer {
  if (!('destination' in operation)) {
    return { ...operation.service, realServers: server?.realServers ?? [] };
  }
  const { kind, destination } = operation;
  const name = nameOf(destination);
  const others = server!.realServers.filter((real) => nameOf(real) !== name);
  const exists = others.length < server!.realServers.length;
  if ((kind === 'add-destination') === exists) {
    throw new Error(`${kind} ${name}: ${exists ? 'it exists already' : 'there is none'}`);
  }
  const realServers = {
    'add-destination': () => [...others, destination],
    'move-destination': () => [...others, destination],
    'set-destination': () => server!.realServers.map((real) => (nameOf(real) === name ? destination : real)),
    'delete-destination': () => others,
  };
  return { ...server!, realServers: realServers[kind]() };
}

function nameOf({ address, port }: { address: string; port: number }): string {
  return endpoint(address, port);
}

function keyOf({ address, port, protocol }: VirtualServerKey): VirtualServerKey {
  return { address, port, protocol };
}

function settingsOf(server: ServiceSettings): ServiceSettings {
  const { scheduler, flags, persistenceSeconds } = server;
  return {
    ...keyOf(server),
    scheduler,
    ...(flags && flags.length > 0 ? { flags } : {}),
    ...(persistenceSeconds ? { persistenceSeconds } : {}),
  };
}

function sameSettings(a: ServiceSettings, b: ServiceSettings): boolean {
  return (
    a.scheduler === b.scheduler &&
    (a.persistenceSeconds ?? 0) === (b.persistenceSeconds ?? 0) &&
    (a.flags === b.flags || (a.flags ?? []).join() === (b.flags ?? []).join())
  );
}
