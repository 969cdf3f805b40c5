/**
 * What has to be done to a forwarder's kernel so that it holds the desired virtual servers, and nothing else. Pure.
 *
 * Operations come in an order that never leaves a virtual server without real servers on the way from one set to
 * another: everything is added before anything is deleted.
 */
import {
  endpoint,
  type RealServer,
  type VirtualServer,
  type VirtualServerKey,
  virtualServerName,
} from './forwarder.js';

export type ServiceSettings = VirtualServerKey & { scheduler: string };

export type Operation =
  | { kind: 'add-service' | 'set-service'; service: ServiceSettings }
  /** Deletes its real servers with it. */
  | { kind: 'delete-service'; service: VirtualServerKey }
  | { kind: 'add-destination' | 'set-destination'; service: VirtualServerKey; destination: RealServer }
  | { kind: 'delete-destination'; service: VirtualServerKey; destination: RealServer };

/** From `actual` to `desired`; [] when they are equal. The order of either list does not matter. */
export function diff(desired: readonly VirtualServer[], actual: readonly VirtualServer[]): Operation[] {
  const existing = new Map(actual.map((server) => [virtualServerName(server), server]));
  const writes: Operation[] = [];
  const deletions: Operation[] = [];
  for (const server of desired) {
    const name = virtualServerName(server);
    const old = existing.get(name);
    existing.delete(name);
    const service = settings(server);
    if (!old) writes.push({ kind: 'add-service', service });
    else if (old.scheduler !== server.scheduler) writes.push({ kind: 'set-service', service });
    diffDestinations(keyOf(server), server.realServers, old?.realServers ?? [], writes, deletions);
  }
  for (const server of existing.values()) deletions.push({ kind: 'delete-service', service: keyOf(server) });
  return [...writes, ...deletions];
}

function diffDestinations(
  service: VirtualServerKey,
  desired: readonly RealServer[],
  actual: readonly RealServer[],
  writes: Operation[],
  deletions: Operation[],
): void {
  const existing = new Map(actual.map((server) => [endpoint(server.address, server.port), server]));
  for (const destination of desired) {
    const name = endpoint(destination.address, destination.port);
    const old = existing.get(name);
    existing.delete(name);
    if (!old) writes.push({ kind: 'add-destination', service, destination });
    else if (old.weight !== destination.weight) writes.push({ kind: 'set-destination', service, destination });
  }
  for (const destination of existing.values()) deletions.push({ kind: 'delete-destination', service, destination });
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
  const { address, port } = operation.destination;
  const others = server!.realServers.filter((real) => real.address !== address || real.port !== port);
  const exists = others.length < server!.realServers.length;
  if ((operation.kind === 'add-destination') === exists) {
    throw new Error(`${operation.kind} ${endpoint(address, port)}: ${exists ? 'it exists already' : 'there is none'}`);
  }
  return {
    ...server!,
    realServers: operation.kind === 'delete-destination' ? others : [...others, operation.destination],
  };
}

function keyOf({ address, port, protocol }: VirtualServerKey): VirtualServerKey {
  return { address, port, protocol };
}

function settings(server: VirtualServer): ServiceSettings {
  return { ...keyOf(server), scheduler: server.scheduler };
}
