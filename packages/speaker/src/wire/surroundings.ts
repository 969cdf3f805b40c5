/** What surrounds this node, and the asking of it: the other nodes and the gateways on the LAN, and the API server. Thin; witnesses.ts judges. */

import { type KubeApi, KubeError, leases } from '@fairlead/kube';
import { gatewaysOf } from './gateways.js';
import type { WireNode, WireUplink } from './messages.js';
import { vipKey } from './vip-key.js';
import { ASK_EVERY_MS, Witnesses } from './witnesses.js';

export interface SurroundingsOptions {
  client: Pick<KubeApi, 'get'>;
  namespace: string;
  clock: () => number;
  /** Asks `witnesses.toAsk()` on the LAN. */
  askLan: (widely: boolean) => void;
  /** Name of a Lease that the API server can be asked for, be it there or not; undefined: of none yet. */
  anyLease: () => string | undefined;
  complain: (message: string) => void;
}

/** What it is called among the witnesses. No node can be: names of nodes are in small letters. */
const API_SERVER = 'API server';
const ASK_API_EVERY_MS = 1_000;
/** Many virtual routers have a question at the same moment: it is one. */
const ASK_LAN_EVERY_MS = 50;

export class Surroundings {
  readonly witnesses = new Witnesses();
  readonly #options: SurroundingsOptions;
  readonly #asking: NodeJS.Timeout;
  #peers: readonly WireNode[] = [];
  #indexes: ReadonlySet<number> = new Set();
  #apiAskedAt = Number.NEGATIVE_INFINITY;
  #apiHeardAt = Number.NEGATIVE_INFINITY;
  #lanAsked = { at: Number.NEGATIVE_INFINITY, widely: false };

  constructor(options: SurroundingsOptions) {
    this.#options = options;
    this.#asking = setInterval(() => this.#keepHearing(), ASK_EVERY_MS);
  }

  configure(peers: readonly WireNode[], uplinks: readonly WireUplink[]): void {
    this.#peers = peers;
    this.#indexes = new Set(uplinks.map(({ index }) => index));
    this.#look();
  }

  /** Asks everybody for a sign of life: on the LAN at once, the API server once a second at most. */
  ask(widely: boolean): void {
    this.#askLan(widely);
    this.#askApi();
  }

  heardApi(): void {
    this.#apiHeardAt = this.#options.clock();
    this.witnesses.heard(API_SERVER, this.#apiHeardAt);
  }

  close(): void {
    clearInterval(this.#asking);
  }

  /** An API server that speaks unasked, as where Leases are renewed, is not asked. */
  #keepHearing(): void {
    this.#askLan(false);
    if (this.#options.clock() - this.#apiHeardAt >= ASK_EVERY_MS / 2) this.#askApi();
  }

  #askLan(widely: boolean): void {
    const now = this.#options.clock();
    if (now - this.#lanAsked.at < ASK_LAN_EVERY_MS && (!widely || this.#lanAsked.widely)) return;
    this.#lanAsked = { at: now, widely };
    this.#look();
    this.#options.askLan(widely);
  }

  #askApi(): void {
    const { clock, anyLease, client, namespace } = this.#options;
    const name = anyLease();
    const now = clock();
    if (name === undefined || now - this.#apiAskedAt < ASK_API_EVERY_MS) return;
    this.#apiAskedAt = now;
    client.get(leases, { namespace, name }, { timeoutMs: ASK_API_EVERY_MS }).then(
      () => this.heardApi(),
      (error: Error) => {
        if (!isUnreachable(error)) this.heardApi();
      },
    );
  }

  /** Gateways come and go without anybody telling. */
  #look(): void {
    let gateways: string[] = [];
    try {
      gateways = gatewaysOf(this.#indexes);
    } catch (error) {
      this.#options.complain(`could not read this host's default routes: ${(error as Error).message}`);
    }
    const stations = [
      ...this.#peers.flatMap(({ name, internalIPs }) => internalIPs.map((ip) => ({ ip: vipKey(ip), name }))),
      ...gateways.map((ip) => ({ ip: vipKey(ip), name: ip })),
    ];
    this.witnesses.configure(stations, this.#peers.length > 0);
  }
}

/** No answer at all, or one that says that the server (or its store) cannot serve now. */
export function isUnreachable(error: unknown): boolean {
  return error instanceof KubeError && (error.status === 0 || error.status === 429 || error.status >= 500);
}
