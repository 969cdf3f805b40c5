/**
 * The way from a host into its director: for each virtual router a routing table with a route to each of its VIPs.
 * Tables are filled on every node, all the time; what makes them count is the rule of an owner (owner-rules.ts), so
 * that taking over costs one message, whatever the number of VIPs.
 */
import { type BatchFailure, ChangeWatch, type Route, type RouteOptions, Rtnetlink } from '@fairlead/netlink';
import { directorLink } from '../director/link.js';
import { ForwardingError } from '../errors.js';
import { familyOf, type SyncResult } from '../forwarder.js';
import { type Log, silent } from '../log.js';
import { canonicalAddress, sortAddresses } from '../order.js';
import { indexOf, ROUTE_PROTOCOL, TABLE_BASE, tableOf } from './tables.js';

export interface VirtualRouterVips {
  /** 0 to 1023, and the same for as long as the virtual router exists here. */
  index: number;
  vips: string[];
}

/** Routes to add and to remove; a VIP that moves to another virtual router is in both. */
export interface RoutesChange {
  added: readonly VirtualRouterVips[];
  removed: readonly VirtualRouterVips[];
}

export interface HostRoutesOptions {
  /** The host's network namespace; by default that of this process. */
  hostNetns?: string;
  /** The interface to the director; default fairlead0. */
  hostInterface?: string;
  /** See tables.ts. */
  tableBase?: number;
  log?: Log;
}

type OurRoute = RouteOptions & { table: number };

export class HostRoutes {
  readonly #rtnetlink: Rtnetlink;
  readonly #interface: string;
  readonly #base: number;
  readonly #log: Log;
  /** Routes go with their links and with these links' addresses, without being mentioned. That an address is new takes no route away. */
  readonly #watch: ChangeWatch;
  /** Nothing was amiss when everything was last looked at. */
  #inLine = false;
  /** Our routes in the kernel, as of the last reading or writing; undefined when that is not known. */
  #known: Map<string, OurRoute> | undefined;

  constructor(options: HostRoutesOptions = {}) {
    const where = options.hostNetns === undefined ? {} : { netns: options.hostNetns };
    this.#rtnetlink = new Rtnetlink(where);
    this.#watch = new ChangeWatch({ ...where, of: ['routes', 'links', 'addresses'], newAddresses: false });
    this.#interface = directorLink(options.hostInterface).host.name;
    this.#base = options.tableBase ?? TABLE_BASE;
    this.#log = options.log ?? silent;
  }

  /**
   * Makes the tables hold exactly these VIPs. Routes of others in our tables are not touched, but warned of.
   * Throws FL_NO_DIRECTOR when there is no interface to route to, FL_PARTLY_APPLIED when the kernel refused a route.
   */
  sync(virtualRouters: readonly VirtualRouterVips[]): SyncResult {
    const desired = this.#desired(virtualRouters);
    const actual = this.#known ?? this.#readKernel().ours;
    const replace = [...desired].filter(([key, route]) => !same(route, actual.get(key))).map(([, route]) => route);
    const remove = [...actual].filter(([key]) => !desired.has(key)).map(([, route]) => route);
    this.#known = undefined; // until the kernel has taken it
    this.#write(replace, remove);
    this.#known = desired;
    return { operations: replace.length + remove.length };
  }

  /**
   * Applies a change of what the last `sync` (and the updates since) desired: work in proportion to the change. Throws FL_NOT_SYNCED
   * when there was none, or the last write failed; otherwise as `sync`.
   */
  update(change: RoutesChange): SyncResult {
    const known = this.#known;
    if (!known) {
      throw new ForwardingError('FL_NOT_SYNCED', 'cannot change the routes into the director before their first sync');
    }
    if (change.added.length + change.removed.length === 0) return { operations: 0 };
    const added = this.#desired(change.added);
    const replace = [...added].filter(([key, route]) => !same(route, known.get(key))).map(([, route]) => route);
    const remove = [...this.#desired(change.removed)].filter(([key]) => known.has(key) && !added.has(key));
    this.#known = undefined; // until the kernel has taken it
    this.#write(
      replace,
      remove.map(([, route]) => route),
    );
    for (const [key] of remove) known.delete(key);
    for (const [key, route] of added) known.set(key, route);
    this.#known = known;
    return { operations: replace.length + remove.length };
  }

  /**
   * Compares what was last desired, which is told once more, with the kernel, and repairs that. What nothing can have happened to since it was found
   * in line is not read again: there may be ten thousand. Throws as `sync` does.
   */
  audit(virtualRouters: readonly VirtualRouterVips[]): SyncResult {
    const isUnchanged = !this.#watch.changed() && this.#inLine && this.#known !== undefined;
    if (isUnchanged) return { operations: 0 };
    this.#inLine = false; // until all of it has been looked at
    const { foreign } = this.#readKernel();
    const result = this.sync(virtualRouters);
    this.#inLine = result.operations + foreign === 0;
    return result;
  }

  /** What the kernel holds now. The next `sync` compares with this: calling it first repairs drift. */
  read(): VirtualRouterVips[] {
    const tables = new Map<number, string[]>();
    for (const { table, destination } of this.#readKernel().ours.values()) {
      const index = table - this.#base;
      tables.set(index, [...(tables.get(index) ?? []), destination]);
    }
    return [...tables].sort(([a], [b]) => a - b).map(([index, vips]) => ({ index, vips: sortAddresses(vips) }));
  }

  close(): void {
    this.#watch.close();
    this.#rtnetlink.close();
  }

  #write(replace: readonly OurRoute[], remove: readonly OurRoute[]): void {
    const failures = [
      ...this.#rtnetlink.replaceRoutes(replace),
      // A route that went by itself (its interface was down for a moment) is as good as deleted.
      ...this.#rtnetlink.deleteRoutes(remove).filter(({ error }) => error.code !== 'ESRCH'),
    ];
    if (failures.length > 0) throw refused(failures, replace.length + remove.length);
  }

  #desired(virtualRouters: readonly VirtualRouterVips[]): Map<string, OurRoute> {
    const link = this.#rtnetlink.link(this.#interface);
    if (!link) {
      throw new ForwardingError(
        'FL_NO_DIRECTOR',
        `cannot route VIPs into the director: there is no interface ${this.#interface} on this host; make the director first`,
      );
    }
    const { director } = directorLink(this.#interface);
    const routes = virtualRouters.flatMap(({ index, vips }) =>
      vips.map((vip): OurRoute => {
        const family = familyOf(vip);
        return {
          family,
          destination: canonicalAddress(vip),
          prefixLength: family === 'ipv4' ? 32 : 128,
          gateway: director[family],
          index: link.index,
          onlink: true,
          table: tableOf(index, this.#base),
          protocol: ROUTE_PROTOCOL,
        };
      }),
    );
    return new Map(routes.map((route) => [keyOf(route), route]));
  }

  /** `foreign`: how many of others are in our tables. */
  #readKernel(): { ours: Map<string, OurRoute>; foreign: number } {
    const inOurTables = this.#rtnetlink.routes().filter(({ table }) => indexOf(table, this.#base) !== undefined);
    const foreign = inOurTables.filter(({ protocol }) => protocol !== ROUTE_PROTOCOL);
    if (foreign.length > 0) this.#warnOf(foreign);
    const ours = inOurTables.filter(({ protocol }) => protocol === ROUTE_PROTOCOL);
    this.#known = new Map(ours.map((route) => [keyOf(route), route]));
    return { ours: this.#known, foreign: foreign.length };
  }

  #warnOf(foreign: readonly Route[]): void {
    const tables = [...new Set(foreign.map(({ table }) => table))].sort((a, b) => a - b);
    const example = `${foreign[0]!.destination}/${foreign[0]!.prefixLength}`;
    this.#log.warn(
      { tables, routes: foreign.length, example },
      'someone else keeps routes in routing tables of Fairlead: they are left alone, but count for VIPs owned here',
    );
  }
}

function keyOf(route: OurRoute): string {
  return `${route.table} ${route.destination}/${route.prefixLength}`;
}

/** Replacing also mends a route that was changed by hand; what the kernel adds (scope, metric) does not matter. */
function same(desired: OurRoute, actual: OurRoute | undefined): boolean {
  return actual?.gateway === desired.gateway && actual?.index === desired.index;
}

function refused(failures: readonly BatchFailure[], of: number): ForwardingError {
  const first = failures[0]!.error;
  return new ForwardingError(
    'FL_PARTLY_APPLIED',
    `${failures.length} of ${of} changes of the routes into the director were refused, first: ${first.message}`,
    { cause: first },
  );
}
