/**
 * The links of this host as the wire thread follows them, by netlink events of its own: the main thread, which decides where a VIP belongs,
 * may be busy when a hardware address changes. Thin; link-watch.ts decides.
 */

import { LinkMonitor, Rtnetlink } from '@fairlead/netlink';
import { LinkWatch } from './link-watch.js';

export class HostLinks {
  readonly #rtnetlink: Rtnetlink;
  readonly #monitor: LinkMonitor;

  /**
   * @param onReturn told the index of an interface whose neighbours have to be told again
   * @param netns a name under /run/netns or an absolute path; by default the network namespace of this thread
   */
  constructor(onReturn: (index: number) => void, netns?: string) {
    const where = netns === undefined ? {} : { netns };
    this.#rtnetlink = new Rtnetlink(where);
    this.#monitor = new LinkMonitor({
      ...where,
      // They do not matter here, and the dead man's switch changes one twice a second.
      addresses: false,
      onEvent: (event) => {
        for (const index of watch.heard(event)) onReturn(index);
      },
    });
    const watch = new LinkWatch(() => this.#rtnetlink.links());
  }

  close(): void {
    this.#monitor.close();
    this.#rtnetlink.close();
  }
}
