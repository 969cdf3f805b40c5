/** Suites say what a configuration is; the wire thread is told what has changed. */

import { isDeepStrictEqual } from 'node:util';
import type { ConfigurationChange, VirtualRouterChange, WireUplink, WireVip, WireVirtualRouter } from './messages.js';

export type WholeVirtualRouter = WireVirtualRouter & { vips: WireVip[] };

export class WholeConfiguration {
  #told = new Map<string, WholeVirtualRouter>();
  #uplinks: readonly WireUplink[] | undefined;

  /** What has to be told so that it is these from now on. */
  becomes(routers: readonly WholeVirtualRouter[], uplinks: readonly WireUplink[]): ConfigurationChange {
    const before = this.#told;
    this.#told = new Map(routers.map((router) => [router.name, router]));
    const sameUplinks = isDeepStrictEqual(uplinks, this.#uplinks);
    this.#uplinks = uplinks;
    return {
      changed: routers.map((router) => changeOf(router, before.get(router.name))),
      removed: [...before.keys()].filter((name) => !this.#told.has(name)),
      ...(!sameUplinks && { uplinks: [...uplinks] }),
    };
  }
}

function changeOf(
  { vips, ...router }: WholeVirtualRouter,
  before: WholeVirtualRouter | undefined,
): VirtualRouterChange {
  const known = before?.vips ?? [];
  const addresses = new Set(vips.map(({ address }) => address));
  return {
    ...router,
    added: vips.filter((vip) => !known.some((each) => isDeepStrictEqual(each, vip))),
    removed: known.flatMap(({ address }) => (addresses.has(address) ? [] : [address])),
  };
}
