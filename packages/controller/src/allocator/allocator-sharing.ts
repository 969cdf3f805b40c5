/**
 * When several Services may have one address: all of them say the same sharing key, want the traffic treated alike, have
 * no port in common, and are of one namespace unless the pool allows more.
 */

import type { Applicant, SharingRequest, SharingScope } from '@fairlead/api';

/** A Service as one that has addresses or wants them. */
export interface Holder extends Applicant {
  /** `namespace/name` */
  key: string;
  /** Undefined: shares with nobody. */
  sharing?: SharingRequest | undefined;
}

/** Why two Services cannot have one address. */
export interface SharingFault {
  kind: 'inUse';
  /** The other one's key. */
  by: string;
  /** unshared: one of them says no key. key, backend, port: they differ, or collide. namespace, never: the pool's rule. */
  why: 'unshared' | 'key' | 'backend' | 'port' | 'namespace' | 'never';
  /** The port that both have, `tcp/80`. */
  port?: string;
}

/** Why `holder` cannot have the address together with `others`; undefined when it can. */
export function sharingFault(holder: Holder, others: Iterable<Holder>, scope: SharingScope): SharingFault | undefined {
  for (const other of others) {
    if (other.key === holder.key) continue;
    const [mine, theirs] = [holder.sharing, other.sharing];
    const fault = (why: SharingFault['why'], port?: string): SharingFault => ({
      kind: 'inUse',
      by: other.key,
      why,
      ...(port !== undefined && { port }),
    });
    if (!mine || !theirs) return fault('unshared');
    if (mine.key !== theirs.key) return fault('key');
    if (scope === 'Never') return fault('never');
    if (scope === 'SameNamespace' && holder.namespace !== other.namespace) return fault('namespace');
    if (mine.backend !== theirs.backend) return fault('backend');
    const port = mine.ports.find((each) => theirs.ports.includes(each));
    if (port !== undefined) return fault('port', port);
  }
  return undefined;
}

/** Which addresses are in use under a sharing key, so that the next Service with it finds them without a search. */
export class SharedAddresses {
  readonly #byKey = new Map<string, Set<bigint>>();

  add(name: string, value: bigint): void {
    const values = this.#byKey.get(name);
    if (values) values.add(value);
    else this.#byKey.set(name, new Set([value]));
  }

  delete(name: string, value: bigint): void {
    const values = this.#byKey.get(name);
    if (values?.delete(value) && values.size === 0) this.#byKey.delete(name);
  }

  /** Ascending. */
  of(name: string): bigint[] {
    return [...(this.#byKey.get(name) ?? [])].sort((a, b) => (a < b ? -1 : 1));
  }
}
