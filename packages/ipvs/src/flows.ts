/**
 * Flows: the connections from clients to one real server of one virtual server, as the director's connection tracking
 * has them. The nftables forwarder knows of connections from here alone; with IPVS, what connection tracking remembers
 * of them would keep a client's datagrams on the real server that it had.
 */
import { Conntrack, type ConntrackEntry, type ConntrackFilter } from '@fairlead/netlink';
import { endpoint, familyOf, type Protocol, type VirtualServerKey, virtualServerName } from './forwarder.js';

export interface Flow {
  service: VirtualServerKey;
  realServer: { address: string; port: number };
}

/** Connections by endpoint() of the real server, by virtualServerName(). */
export type FlowCounts = ReadonlyMap<string, ReadonlyMap<string, number>>;

export interface Flows {
  count(flows: readonly Flow[]): FlowCounts;
  /** Their next packets begin new connections, which are scheduled anew, or refused. Returns how many there were. */
  forget(flows: readonly Flow[]): number;
  close(): void;
}

/** `tcp 10.77.0.200:80 10.77.0.11:30080` */
export function flowName({ service, realServer }: Flow): string {
  return `${virtualServerName(service)} ${endpoint(realServer.address, realServer.port)}`;
}

/** The kernel looks through its whole table for each question: beyond so many, one for all is less work. */
const MAX_QUESTIONS = 4;

export class TrackedFlows implements Flows {
  readonly #netns: string;
  #conntrack: Conntrack | undefined;

  /** `netns`: the director. Opens its socket when it is first needed. */
  constructor(netns: string) {
    this.#netns = netns;
  }

  count(flows: readonly Flow[]): FlowCounts {
    const counts = new Map<string, Map<string, number>>();
    const wanted = new Set(flows.map(flowName));
    for (const { service } of flows) counts.set(virtualServerName(service), new Map());
    for (const filter of questions(flows)) {
      for (const entry of this.#open().list(filter)) {
        const flow = flowOf(entry);
        if (!flow || !wanted.has(flowName(flow))) continue;
        const ofService = counts.get(virtualServerName(flow.service))!;
        const name = endpoint(flow.realServer.address, flow.realServer.port);
        ofService.set(name, (ofService.get(name) ?? 0) + 1);
      }
    }
    return counts;
  }

  forget(flows: readonly Flow[]): number {
    const wanted = new Set(flows.map(flowName));
    const isWanted = (entry: ConntrackEntry) => {
      const flow = flowOf(entry);
      return flow !== undefined && wanted.has(flowName(flow));
    };
    return questions(flows).reduce((sum, filter) => sum + this.#open().delete(filter, isWanted), 0);
  }

  close(): void {
    this.#conntrack?.close();
    this.#conntrack = undefined;
  }

  #open(): Conntrack {
    this.#conntrack ??= new Conntrack({ netns: this.#netns });
    return this.#conntrack;
  }
}

/** Few enough, that together find all of these flows, and others. */
function questions(flows: readonly Flow[]): ConntrackFilter[] {
  const byAddress = new Map<string, ConntrackFilter>();
  const byProtocol = new Map<string, ConntrackFilter>();
  for (const { service, realServer } of flows) {
    const { protocol } = service;
    const family = familyOf(service.address);
    byProtocol.set(`${family} ${protocol}`, { family, protocol });
    const { address } = realServer;
    byAddress.set(`${protocol} ${address}`, { family, protocol, reply: { source: address } });
  }
  return [...(byAddress.size <= Math.max(MAX_QUESTIONS, byProtocol.size) ? byAddress : byProtocol).values()];
}

/** undefined for what has no ports. */
function flowOf({ original, reply }: ConntrackEntry): Flow | undefined {
  const { protocol } = original;
  if (original.destinationPort === undefined || reply.sourcePort === undefined || !isProtocol(protocol))
    return undefined;
  return {
    service: { address: original.destination, port: original.destinationPort, protocol },
    realServer: { address: reply.source, port: reply.sourcePort },
  };
}

function isProtocol(protocol: unknown): protocol is Protocol {
  return protocol === 'tcp' || protocol === 'udp' || protocol === 'sctp';
}
