/**
 * Stations on the LAN that answer for VIPs of ours, as this node has heard while it owned them: told to the controller by a ConfigMap of
 * this node's own, so that no pool gives out an address that somebody else has, and shown by a metric. A station that was
 * not heard of for ten minutes is forgotten; one that stays is heard of every minute or two.
 */
import { labels } from '@fairlead/api';
import { configMaps, isKubeError, type KubeApi, type KubeObject, upsert, WorkQueue } from '@fairlead/kube';

/** A station that has a VIP. */
export interface Station {
  /** The VIP, in canonical text form. */
  address: string;
  /** The station's hardware address. */
  mac: string;
  /** The interface on which it was heard. */
  uplink: string;
}

export interface StationsOptions {
  client: Pick<KubeApi, 'get' | 'create' | 'update'>;
  namespace: string;
  node: string;
  /** A report could not be written; it is tried again. */
  onError: (error: Error) => void;
  /** Monotonic milliseconds. */
  clock?: () => number;
}

interface StationsMap extends KubeObject {
  /** Each value: an address, and the hardware address of the station that has it. */
  data?: Record<string, string>;
}

export const FORGET_AFTER_MS = 600_000;
const LOOK_EVERY_MS = 60_000;

export class Stations {
  readonly #options: StationsOptions;
  readonly #clock: () => number;
  readonly #heard = new Map<string, Station & { at: number }>();
  readonly #queue: WorkQueue;
  readonly #forgetting: NodeJS.Timeout;

  constructor(options: StationsOptions) {
    this.#options = options;
    this.#clock = options.clock ?? (() => performance.now());
    this.#queue = new WorkQueue({
      process: (_, signal) => this.#write(signal),
      backoff: { baseMs: 500, maxMs: 30_000 },
      onError: (error, _, failures) => {
        if (failures === 1 && !isKubeError(error, 'FL_KUBE_CONFLICT')) options.onError(error);
      },
    });
    this.#forgetting = setInterval(() => this.forget(), LOOK_EVERY_MS);
    this.#forgetting.unref();
  }

  /** Those that were heard of within the last ten minutes, about. */
  get known(): Iterable<Readonly<Station>> {
    return this.#heard.values();
  }

  /** The station has answered for, or announced, the address. */
  heard({ address, mac, uplink }: Station): void {
    const isNews = this.#heard.get(address)?.mac !== mac;
    this.#heard.set(address, { address, mac, uplink, at: this.#clock() });
    if (isNews) this.#queue.add('report');
  }

  /** Drops what is too old. */
  forget(): void {
    const before = this.#heard.size;
    for (const [address, { at }] of this.#heard) {
      if (this.#clock() - at >= FORGET_AFTER_MS) this.#heard.delete(address);
    }
    if (this.#heard.size < before) this.#queue.add('report');
  }

  /** Resolves when what was heard is written, as far as it can be. */
  idle(): Promise<void> {
    return this.#queue.idle();
  }

  async stop(): Promise<void> {
    clearInterval(this.#forgetting);
    await this.#queue.stop();
  }

  async #write(signal: AbortSignal): Promise<void> {
    const { client, namespace, node } = this.#options;
    const name = `fairlead-stations-${node}`;
    const data = Object.fromEntries(
      [...this.#heard].map(([address, { mac }]) => [keyOf(address), `${address} ${mac}`]),
    );
    const metadata = { namespace, name, labels: { [labels.name]: 'fairlead', [labels.stations]: '' } };
    const anew: StationsMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata };
    await upsert<StationsMap>(client, configMaps, { namespace, name }, (found = anew) => ({ ...found, data }), {
      signal,
    });
  }
}

/** Keys of a ConfigMap have no colons. */
function keyOf(address: string): string {
  return address.replaceAll(':', '-');
}
