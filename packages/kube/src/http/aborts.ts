/**
 * Who is to hear that a signal aborts: one listener for each signal, however many requests run under it. Adding a listener and taking
 * it away costs a request as much as its timer, and EventTarget warns of more than ten.
 */

export interface Abortable {
  onAbort(signal: AbortSignal): void;
}

export class Aborts {
  readonly #groups = new Map<AbortSignal, Group>();

  add(signal: AbortSignal, each: Abortable): void {
    let group = this.#groups.get(signal);
    if (!group) {
      const members = new Set<Abortable>();
      const listener = () => {
        for (const member of members) member.onAbort(signal);
        this.#groups.delete(signal);
      };
      group = { members, listener };
      this.#groups.set(signal, group);
      signal.addEventListener('abort', listener, { once: true });
    }
    group.members.add(each);
  }

  /** Nothing is left on a signal under which nothing runs. */
  delete(signal: AbortSignal, each: Abortable): void {
    const group = this.#groups.get(signal);
    if (!group?.members.delete(each) || group.members.size > 0) return;
    this.#groups.delete(signal);
    signal.removeEventListener('abort', group.listener);
  }
}

interface Group {
  members: Set<Abortable>;
  listener: () => void;
}
