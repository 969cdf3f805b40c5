/**
 * Two hosts on one cable, each a network namespace:
 *
 *   station  eth0 10.0.0.1, fd00::1  ────  eth0 10.0.0.2, fd00::2  observer
 *   (a process with the wire thread)       (its frames are read by this process; an API server runs there)
 */
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { DEFAULT_ANNOUNCEMENT } from '@fairlead/api';
import { encodeAddress, familyOf } from '@fairlead/netlink';
import { constants, createNetns, deleteNetns, inNetns, RawSocket, sockaddrLl } from '@fairlead/raw-socket';
import {
  MAX_ADDRESSES,
  type ToWire,
  type VirtualRouterChange,
  VrrpTransport,
  virtualRouterId,
  type WireUplink,
} from '@fairlead/speaker';
import { lay, OBSERVER_IPV4, OBSERVER_IPV6, runIn, STATION_IPV4, STATION_IPV6 } from '../cable.js';
import { Machine } from './machine.js';
import type { FromStation, ToStation } from './messages.js';
import { Observer } from './observer.js';

const STATION = fileURLToPath(new URL('station.js', import.meta.url));
const API_SERVER = fileURLToPath(new URL('../../../../packages/lab/dist/apiserver/main.js', import.meta.url));
const API_PORT = 6443;
const START_TIMEOUT_MS = 60_000;

export const STATION_NODE = 'station';

export class Stand {
  readonly observer: Observer;
  readonly observerMac: Buffer;
  readonly stationMac: Buffer;
  readonly uplink: WireUplink;
  /** What the wire thread could not do. */
  readonly errors: string[] = [];
  readonly #namespaces: readonly string[];
  readonly #apiServer: ChildProcess;
  readonly #station: ChildProcess;
  /** Names of the virtual routers that the wire thread knows. */
  readonly #told = new Set<string>();

  static async start(): Promise<Stand> {
    const id = randomBytes(3).toString('hex');
    const namespaces = { station: `fl-${id}-station`, observer: `fl-${id}-observer` };
    const names = Object.values(namespaces);
    try {
      for (const name of names) createNetns(name);
      const { uplink, observerIndex, observerMac, stationMac } = lay(namespaces.station, namespaces.observer);
      const apiServer = runIn(namespaces.observer, [API_SERVER, '--listen', `${OBSERVER_IPV4}:${API_PORT}`], 'pipe');
      await once(createInterface({ input: apiServer.stdout! }), 'line', timeout());
      const server = `http://${OBSERVER_IPV4}:${API_PORT}`;
      const station = runIn(namespaces.station, [STATION, '--node', STATION_NODE, '--server', server], 'inherit');
      const observer = new Observer(namespaces.observer, observerIndex);
      const stand = new Stand({ names, apiServer, station, observer, observerMac, stationMac, uplink });
      await stand.says((message) => message.is === 'ready');
      return stand;
    } catch (error) {
      for (const name of names) deleteNetns(name);
      throw error;
    }
  }

  private constructor(parts: {
    names: readonly string[];
    apiServer: ChildProcess;
    station: ChildProcess;
    observer: Observer;
    observerMac: Buffer;
    stationMac: Buffer;
    uplink: WireUplink;
  }) {
    this.#namespaces = parts.names;
    this.#apiServer = parts.apiServer;
    this.#station = parts.station;
    this.observer = parts.observer;
    this.observerMac = parts.observerMac;
    this.stationMac = parts.stationMac;
    this.uplink = parts.uplink;
    this.#station.on('message', (message: FromStation) => {
      if (message.is === 'error') this.errors.push(message.message);
    });
  }

  /** The virtual routers of the wire thread, which is as fit as can be and the only one to stand for them. */
  configure(virtualRouters: VirtualRouterChange[]): void {
    const changed = virtualRouters.filter(({ name }) => !this.#told.has(name));
    for (const { name } of changed) this.#told.add(name);
    const nodes = [
      { name: STATION_NODE, internalIPs: [STATION_IPV4, STATION_IPV6] },
      { name: 'observer', internalIPs: [OBSERVER_IPV4, OBSERVER_IPV6] },
    ];
    this.tell({ kind: 'configure', changed, removed: [], uplinks: [this.uplink], nodes });
  }

  tell(message: ToWire): void {
    this.ask({ do: 'tell', message });
  }

  /** The observer advertises them once, as their owner does that is about to die. */
  advertise(virtualRouters: readonly VirtualRouterChange[]): void {
    inNetns(this.#namespaces[1]!, () => {
      const transport = new VrrpTransport({
        mode: 'unicast',
        onReceived: () => {},
        onFault: () => {},
        onError: () => {},
      });
      try {
        transport.configure({ uplinks: [], self: [OBSERVER_IPV4, OBSERVER_IPV6], peers: [STATION_IPV4, STATION_IPV6] });
        const outgoing = virtualRouters.map(({ name, added }) => {
          const addresses = added.slice(0, MAX_ADDRESSES).map(({ address }) => encodeAddress(address));
          const advertisement = { virtualRouterId: virtualRouterId(name), priority: 100, intervalMs: 100, addresses };
          return { advertisement, checksum: 'rfc9568' } as const;
        });
        const family = familyOf(virtualRouters[0]!.added[0]!.address);
        transport.send(outgoing, { family, uplink: this.uplink.name });
      } finally {
        transport.close();
      }
    });
  }

  /** Whole frames, as if the station had sent them. */
  sendAsStation(frames: readonly Buffer[]): void {
    const { AF_PACKET, SOCK_RAW } = constants;
    const socket = new RawSocket({ domain: AF_PACKET, type: SOCK_RAW, protocol: 0, netns: this.#namespaces[0]! });
    try {
      socket.bind(sockaddrLl({ ifindex: this.uplink.index, protocol: 0 }));
      for (let sent = 0; sent < frames.length; ) sent += socket.sendBatch(frames.slice(sent));
    } finally {
      socket.close();
    }
  }

  /** What is measured beside the station, in its network namespace. */
  besideStation(sleepMs: number): Promise<Machine> {
    return Machine.start({ sleepMs, netns: this.#namespaces[0]!, index: this.uplink.index });
  }

  ask(request: ToStation): void {
    this.#station.send(request);
  }

  /** The next message for which `is` holds. */
  async says<T extends FromStation>(is: (message: FromStation) => message is T): Promise<T>;
  async says(is: (message: FromStation) => boolean): Promise<FromStation>;
  async says(is: (message: FromStation) => boolean): Promise<FromStation> {
    const { signal } = timeout();
    for (;;) {
      const [message] = (await once(this.#station, 'message', { signal })) as [FromStation];
      if (is(message)) return message;
    }
  }

  async stop(): Promise<void> {
    this.observer.close();
    for (const child of [this.#station, this.#apiServer]) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    for (const name of this.#namespaces) deleteNetns(name);
  }
}

/** A virtual router with so many VIPs, `10.<100 + n>.x.y` or `fd00:<n>::x`. */
export function virtualRouter(n: number, vips: number, family: 'ipv4' | 'ipv6' = 'ipv4'): VirtualRouterChange {
  const address = (i: number) =>
    family === 'ipv4' ? `10.${100 + n}.${i >> 8}.${i & 255}` : `fd00:0:0:${n + 1}::${(i + 1).toString(16)}`;
  return {
    name: `bench.${n}`,
    pool: 'bench',
    leaseName: `vr-bench-${n}`,
    table: n,
    ranking: [STATION_NODE],
    engine: 'vrrp',
    preempt: false,
    announcement: DEFAULT_ANNOUNCEMENT,
    removed: [],
    added: Array.from({ length: vips }, (_, i) => ({ address: address(i), uplink: 'eth0' })),
  };
}

function timeout(): { signal: AbortSignal } {
  return { signal: AbortSignal.timeout(START_TIMEOUT_MS) };
}
