/** Comparing virtual servers, and keeping the objects of those that did not change: thousands of them are held at once. */
import type { RealServer, VirtualServer } from '../forwarder.js';

/** Whether a forwarder and a firewall would do the same for both. */
export function sameServer(a: VirtualServer, b: VirtualServer): boolean {
  return (
    a.scheduler === b.scheduler &&
    a.persistenceSeconds === b.persistenceSeconds &&
    sameTexts(a.flags, b.flags) &&
    sameTexts(a.sourceRanges, b.sourceRanges) &&
    sameRealServers(a.realServers, b.realServers)
  );
}

/** `next`, made of the objects of `old` where they are equal; `old` itself where all are. Both are in canonical order. */
export function shared(next: RealServer[], old: RealServer[] | undefined): RealServer[] {
  if (!old || old.length === 0) return next;
  if (sameRealServers(next, old)) return old;
  let from = 0; // what comes later in `next` comes later in `old`: mostly the very next one
  return next.map((server) => {
    for (let index = from; index < old.length; index++) {
      if (!sameRealServer(server, old[index]!)) continue;
      from = index + 1;
      return old[index]!;
    }
    return server;
  });
}

function sameRealServers(a: readonly RealServer[], b: readonly RealServer[]): boolean {
  return a === b || (a.length === b.length && a.every((server, index) => sameRealServer(server, b[index]!)));
}

function sameRealServer(a: RealServer, b: RealServer): boolean {
  return a === b || (a.address === b.address && a.port === b.port && a.weight === b.weight);
}

function sameTexts(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  return a === b || (a !== undefined && a.length === b?.length && a.every((text, index) => text === b[index]));
}
