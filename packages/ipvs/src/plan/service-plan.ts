/** The virtual servers of one Service, from everything that decides about them. Pure. */
import {
  endpoint,
  familyOf,
  type RealServer,
  type VirtualServer,
  type VirtualServerKey,
  virtualServerName,
} from '../forwarder.js';
import { canonicalAddress } from '../order.js';
import type { PlanProblem, ServiceInput, ServicePortInput } from './input.js';
import type { Family } from './node-table.js';
import { allChecksFailed, endpointsNowhere, noNodePort, portConflict } from './problems.js';
import type { Scheduler } from './scheduler.js';
import { sameServer, shared } from './servers.js';
import { type Settings, settingsOf } from './settings.js';

/** What a Service says, read once. */
export interface Wish {
  input: ServiceInput;
  settings: Settings;
  /** Canonical, each once. */
  vips: string[];
  /** The virtual servers that it wants, by name, and the port that each is for. */
  wanted: Map<string, { key: VirtualServerKey; from: ServicePortInput }>;
}

export interface ServicePlanContext {
  /** Who has the virtual server of this name. */
  owner(key: string): string | undefined;
  /** undefined: there is no NodePort. */
  realServers(family: Family, port: ServicePortInput): RealServer[] | undefined;
  /** There are endpoints, but none says where it is. */
  nowhere(family: Family, port: ServicePortInput): boolean;
  /** `address` and `address:port` of what fails its check. */
  failing: ReadonlySet<string> | undefined;
  /** The plan before: objects in it are used again where they are equal. */
  before: ReadonlyMap<string, VirtualServer>;
}

export interface ServicePlan {
  servers: Map<string, VirtualServer>;
  problems: PlanProblem[];
}

export function wishOf(input: ServiceInput, defaultScheduler: Scheduler): Wish {
  const vips = [...new Set(input.vips.map(canonicalAddress))];
  const wanted: Wish['wanted'] = new Map();
  for (const address of vips) {
    for (const from of input.ports) {
      const key = { address, port: from.port, protocol: from.protocol };
      const name = virtualServerName(key);
      if (!wanted.has(name)) wanted.set(name, { key, from });
    }
  }
  return { input, settings: settingsOf(input, defaultScheduler), vips, wanted };
}

export function planService({ input, settings, wanted }: Wish, context: ServicePlanContext): ServicePlan {
  const service = input.name;
  const problems = [...settings.problems];
  const servers = new Map<string, VirtualServer>();
  // VIPs of one family share the array.
  const planned = new Map<string, RealServer[] | undefined>();
  for (const [name, { key, from }] of wanted) {
    const owner = context.owner(name)!;
    if (owner !== service) {
      problems.push(portConflict(service, owner, name));
      continue;
    }
    const before = context.before.get(name);
    const family = familyOf(key.address);
    const which = `${family} ${from.protocol} ${from.port}`;
    if (!planned.has(which)) {
      const found = realServers(service, family, from, before, context, problems);
      planned.set(which, found);
      if (found?.length === 0 && settings.mode === 'local' && context.nowhere(family, from)) {
        problems.push(endpointsNowhere(service, from, family));
      }
    }
    const found = planned.get(which);
    if (!found) continue;
    const server = virtualServer(key, settings, family, found);
    servers.set(name, before && sameServer(before, server) ? before : server);
  }
  return { servers, problems };
}

function realServers(
  service: string,
  family: Family,
  from: ServicePortInput,
  before: VirtualServer | undefined,
  { realServers, failing }: ServicePlanContext,
  problems: PlanProblem[],
): RealServer[] | undefined {
  const all = realServers(family, from);
  if (!all) {
    const problem = noNodePort(service, from);
    // The same for VIPs of either family.
    if (!problems.some(({ message }) => message === problem.message)) problems.push(problem);
    return undefined;
  }
  const passing = failing
    ? all.filter(({ address, port }) => !failing.has(address) && !failing.has(endpoint(address, port)))
    : all;
  if (passing.length === 0 && all.length > 0) {
    problems.push(allChecksFailed(service, from, family, all.length));
    return shared(all, before?.realServers);
  }
  return shared(passing, before?.realServers);
}

function virtualServer(
  key: VirtualServerKey,
  { scheduler, persistenceSeconds, sourceRanges }: Settings,
  family: Family,
  realServers: RealServer[],
): VirtualServer {
  const { address, port, protocol } = key;
  const ranges = sourceRanges?.[family];
  // Not by spreading: all of them together share one hidden class this way.
  const server: VirtualServer = { address, port, protocol, scheduler: scheduler.name, realServers };
  if (scheduler.flags) server.flags = scheduler.flags;
  if (persistenceSeconds !== undefined) server.persistenceSeconds = persistenceSeconds;
  if (ranges) server.sourceRanges = ranges;
  return server;
}
