/**
 * The forwarder, over either engine: compares what is desired with what the kernel holds, has the engine write the
 * difference, and keeps what is being drained.
 *
 * What the kernel holds is remembered between calls, so that a change costs what it changes. It is forgotten when a
 * write fails, and read again then; `audit` reads it in any case.
 */
import { type DiffOptions, diffServer, isInLine, type Operation, type Step } from './diff.js';
import { type Drained, Drains } from './drain.js';
import { type Engine, keyOf, type Refusal } from './engine.js';
import { ForwardingError } from './errors.js';
import { type Flow, type Flows, flowName } from './flows.js';
import {
  type DesiredChange,
  type DesiredState,
  type Forwarder,
  type RealServer,
  type RefusedServer,
  type SyncResult,
  type VirtualServer,
  type VirtualServerKey,
  type VirtualServerStats,
  virtualServerName,
} from './forwarder.js';
import { type Log, silent } from './log.js';
import { sortVirtualServers } from './order.js';
import { byVirtualServer, outcome, throwIfDrifted } from './refusals.js';

export interface KernelForwarderOptions {
  /** For how long a removed real server keeps its connections; default 300 s. */
  drainTimeoutMs?: number;
  log?: Log;
}

/** What a forwarder works with. */
export interface KernelForwarderParts {
  engine: Engine;
  flows: Flows;
}

/** What the kernel holds, as of the last reading or writing. */
interface Known {
  servers: Map<string, VirtualServer>;
  /** How many other things the engine found that its next write mends. */
  repairs: number;
  /** Read just now: nobody can have been at it since. */
  fresh: boolean;
}

const NONE: ReadonlySet<string> = new Set();
/**
 * How many real servers are moved within their lists at a time: each is two messages for which mh builds its table
 * anew. A node that joins is in every list, and may come before all others there.
 */
const MAX_MOVES = 100;
/** Of so many audits one looks at what takes a request for each virtual server, and hardly anybody changes. */
const THOROUGH_EVERY = 10;

export class KernelForwarder implements Forwarder {
  readonly #engine: Engine;
  readonly #flows: Flows;
  readonly #log: Log;
  readonly #drains: Drains;
  readonly #diffOptions: DiffOptions;
  #desired: Map<string, VirtualServer> | undefined;
  #dead: ReadonlySet<string> = NONE;
  /** Drains that are over, while they are being deleted: connections that are left, by flowName(). */
  #drained: ReadonlyMap<string, number> = new Map();
  /** Virtual servers whose real servers are to be put in order, when it is their turn. */
  readonly #disordered = new Set<string>();
  readonly #refused = new Map<string, RefusedServer>();
  #tending = false;
  #audits = 0;
  /** The engine's generation when everything was found as it should be. */
  #audited: number | undefined;
  #known: Known | undefined;
  #prepared = false;

  constructor({ engine, flows }: KernelForwarderParts, options: KernelForwarderOptions = {}) {
    this.#engine = engine;
    this.#flows = flows;
    this.#log = options.log ?? silent;
    this.#drains = new Drains(options.drainTimeoutMs);
    this.#diffOptions = { drains: (service, real) => this.#mayDrain(service, real) };
  }

  get kind(): Forwarder['kind'] {
    return this.#engine.kind;
  }

  get draining(): number {
    return this.#drains.size;
  }

  get refused(): RefusedServer[] {
    return [...this.#refused.values()];
  }

  get unfinished(): boolean {
    return this.#drains.size > 0 || this.#disordered.size > 0;
  }

  sync(desired: DesiredState): SyncResult {
    this.#dead = desired.dead ?? NONE;
    this.#desired = new Map();
    for (const server of desired.virtualServers) {
      this.#desired.set(virtualServerName(server), this.#engine.normalize(server));
    }
    return { operations: this.#prepare() + this.#bringInLine() };
  }

  update(change: DesiredChange): SyncResult {
    const desired = this.#mustBeSynced('update');
    this.#dead = change.dead ?? NONE;
    const names = new Set<string>();
    for (const name of this.#drains.names()) {
      if (this.#drains.of(name).some(({ address }) => this.#dead.has(address))) names.add(name);
    }
    for (const key of change.removed) {
      const name = virtualServerName(key);
      desired.delete(name);
      names.add(name);
    }
    for (const server of change.changed) {
      const name = virtualServerName(server);
      desired.set(name, this.#engine.normalize(server));
      names.add(name);
    }
    return { operations: this.#bringInLine(names) };
  }

  audit(): { repaired: number } {
    this.#mustBeSynced('audit');
    const generation = this.#engine.generation?.();
    if (generation !== undefined && generation === this.#audited) return { repaired: 0 };
    this.#prepared = false;
    const thorough = this.#audits++ % THOROUGH_EVERY === 0;
    const repaired = this.#prepare() + this.#write(this.#readKernel({ thorough }));
    // What this process writes from now on counts, too: then the next audit reads again.
    this.#audited = repaired === 0 ? generation : undefined;
    return { repaired };
  }

  tend(nowMs: number): { draining: number } {
    const due = this.#drains.due(nowMs);
    const finished = this.#drains.finish(nowMs, due.length > 0 ? this.#engine.connections(due) : new Map());
    this.#tellDrained(finished);
    this.#drained = new Map(finished.map((drained) => [flowName(drained), drained.connections]));
    this.#tending = true;
    try {
      const names = this.#nextDisordered();
      for (const { service } of finished) names.add(virtualServerName(service));
      if (names.size > 0) this.#bringInLine(names);
    } finally {
      this.#tending = false;
      this.#drained = new Map();
    }
    return { draining: this.draining };
  }

  /** In one line, as a node that goes away drains from every virtual server; at `debug` each has a line of its own. */
  #tellDrained(finished: readonly Drained[]): void {
    if (finished.length === 0) return;
    for (const drained of finished) {
      this.#log.debug({ realServer: flowName(drained), connections: drained.connections }, 'real server drained');
    }
    const connections = finished.reduce((sum, drained) => sum + drained.connections, 0);
    const fields = { realServers: finished.length, first: flowName(finished[0]!) };
    if (connections === 0) this.#log.info(fields, 'real servers drained');
    else this.#log.warn({ ...fields, connections }, 'time to drain is up: the connections that are left end now');
  }

  read(): VirtualServer[] {
    const known = this.#readKernel();
    this.#known = { ...known, fresh: false };
    return sortVirtualServers([...known.servers.values()]);
  }

  stats(): VirtualServerStats[] {
    return this.#engine.stats();
  }

  close(): void {
    this.#engine.close();
    this.#flows.close();
  }

  #mustBeSynced(what: string): Map<string, VirtualServer> {
    if (this.#desired) return this.#desired;
    throw new ForwardingError(
      'FL_NOT_SYNCED',
      `cannot ${what} virtual servers before the first sync: what is desired as a whole is not known`,
    );
  }

  #mayDrain(service: VirtualServerKey, realServer: RealServer): boolean {
    return (
      !this.#dead.has(realServer.address) &&
      !this.#drained.has(flowName({ service, realServer })) &&
      this.#engine.canDrain(this.#desired!.get(virtualServerName(service))!)
    );
  }

  #prepare(): number {
    if (this.#prepared) return 0;
    const changes = this.#engine.prepare();
    this.#prepared = true;
    return changes;
  }

  #readKernel({ thorough = false } = {}): Known {
    const { virtualServers, repairs } = this.#engine.read({ thorough });
    const servers = new Map<string, VirtualServer>();
    for (const server of virtualServers) servers.set(virtualServerName(server), server);
    this.#known = { servers, repairs, fresh: true };
    return this.#known;
  }

  /**
   * Writes what differs: of these virtual servers, or of all. What is refused because the kernel is not as it was left
   * is done again, after a look at all of it. Returns how many entries were written.
   */
  #bringInLine(names?: ReadonlySet<string>): number {
    if (!this.#known) return this.#write(this.#readKernel());
    try {
      return this.#write(this.#known, names);
    } catch (error) {
      this.#log.warn({ err: error }, 'the kernel refused a change: reading what it holds, and trying again');
      return this.#write(this.#readKernel());
    }
  }

  #write(known: Known, names: Iterable<string> = this.#allNames(known)): number {
    const steps = new Map<string, Step>();
    const after = new Map<string, VirtualServer>();
    const writes: Operation[] = [];
    const removals: Operation[] = [];
    let moves = 0;
    for (const name of names) {
      const desired = this.#desired!.get(name);
      const actual = known.servers.get(name);
      if (isInLine(desired, actual) && !this.#drains.has(name)) {
        if (desired) known.servers.set(name, desired);
        this.#refused.delete(name);
        this.#disordered.delete(name);
        continue;
      }
      const step = this.#step(name, desired, actual, MAX_MOVES - moves);
      moves += countMoves(step);
      steps.set(name, step);
      if (step.after) after.set(name, step.after);
      for (const operation of step.writes) writes.push(operation);
      for (const operation of step.removals) removals.push(operation);
    }
    const operations = [...writes, ...removals];
    const flows = this.#brokenFlows(removals, known.servers);
    let refusals: Refusal[] = [];
    if (operations.length + known.repairs > 0) {
      this.#known = undefined; // until the kernel has taken it
      refusals = this.#engine.apply(operations, known.servers, after);
    }
    if (!known.fresh) throwIfDrifted(refusals);
    const refused = byVirtualServer(refusals);
    for (const [name, step] of steps) this.#settle(known, name, step, refused.get(name) ?? []);
    this.#known = { servers: known.servers, repairs: 0, fresh: false };
    this.#forget(flows);
    return operations.length + known.repairs - refusals.length;
  }

  /** Notes what the kernel holds of a virtual server after its step. */
  #settle(known: Known, name: string, step: Step, refusals: readonly Refusal[]): void {
    const { after, draining } = outcome(step, known.servers.get(name), refusals);
    this.#drains.set(name, after, draining);
    const desired = this.#desired!.get(name);
    // Mostly that is what is desired: one object for both, where there are thousands.
    if (after) known.servers.set(name, desired && isInLine(desired, after) ? desired : after);
    else known.servers.delete(name);
    this.#note(name, refusals[0]);
  }

  #note(name: string, refusal: Refusal | undefined): void {
    if (!refusal) {
      this.#refused.delete(name);
      return;
    }
    const { message } = refusal.error;
    const isNew = this.#refused.get(name)?.message !== message;
    this.#refused.set(name, { virtualServer: keyOf(refusal.operation.service), message });
    if (isNew) this.#log.warn({ virtualServer: name, err: refusal.error }, `not as desired: ${message}`);
  }

  /** In order, if that takes no more than so many moves, or is the first to take any; else that is left to `tend`. */
  #step(name: string, desired: VirtualServer | undefined, actual: VirtualServer | undefined, moves: number): Step {
    const putOff = this.#disordered.has(name) && !this.#tending;
    if (!putOff) {
      const step = diffServer(desired, actual, { ...this.#diffOptions, ordered: this.#engine.ordered });
      this.#disordered.delete(name);
      if (moves === MAX_MOVES || countMoves(step) <= moves) return step;
    }
    const step = diffServer(desired, actual, this.#diffOptions);
    if (step.after) this.#disordered.add(name);
    else this.#disordered.delete(name);
    return step;
  }

  /** Enough for one turn. */
  #nextDisordered(): Set<string> {
    const names = new Set<string>();
    for (const name of this.#disordered) if (names.size < MAX_MOVES) names.add(name);
    return names;
  }

  /** The kernel is in line already: that connections of the past are not ended is told, but fails nothing. */
  #forget(flows: readonly Flow[]): void {
    if (flows.length === 0) return;
    try {
      const connections = this.#flows.forget(flows);
      this.#log.debug({ connections }, 'connections to real servers that are gone forgotten');
    } catch (error) {
      this.#log.warn({ err: error }, 'could not end the tracked connections to real servers that are gone');
    }
  }

  *#allNames(known: Known): Iterable<string> {
    const desired = this.#desired!;
    yield* desired.keys();
    for (const name of known.servers.keys()) if (!desired.has(name)) yield name;
    for (const name of this.#drains.names()) if (!desired.has(name) && !known.servers.has(name)) yield name;
  }

  /**
   * Connections whose real server is deleted, and whose packets would go on there by what connection tracking
   * remembers. Where a drain has ended there are none, as far as the engine knows; those of which it does not know,
   * because another director began them, may go on.
   */
  #brokenFlows(removals: readonly Operation[], before: ReadonlyMap<string, VirtualServer>): Flow[] {
    return removals
      .flatMap((operation) => {
        const { kind, service } = operation;
        if (kind === 'delete-destination') return [{ service: keyOf(service), realServer: operation.destination }];
        if (kind !== 'delete-service') return [];
        const { realServers } = before.get(virtualServerName(service))!;
        return realServers.map((realServer) => ({ service: keyOf(service), realServer }));
      })
      .filter((flow) => this.#drained.get(flowName(flow)) !== 0);
  }
}

function countMoves({ writes }: Step): number {
  return writes.reduce((sum, { kind }) => sum + (kind === 'move-destination' ? 1 : 0), 0);
}
