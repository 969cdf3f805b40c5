/** A LAN of virtual routers on a simulated clock: messages take time or get lost, routers freeze, stop and start. */

import { type VrrpAction, VrrpMachine, type VrrpSettings } from './machine.js';

interface Station {
  id: number;
  machine: VrrpMachine;
  settings: VrrpSettings;
  frozen: boolean;
  owning: boolean;
  /** What arrived while it was frozen. */
  inbox: (() => void)[];
}

export class SimulatedLan {
  now = 0;
  readonly stations: Station[];
  /** Whether a message from one station to another gets lost. */
  loses: (from: number, to: number) => boolean = () => false;
  readonly latencyMs = 1;
  #queue: { at: number; run: () => void }[] = [];

  constructor(settings: readonly VrrpSettings[]) {
    this.stations = settings.map((setting, id) => ({
      id,
      machine: new VrrpMachine(BigInt(id), setting),
      settings: setting,
      frozen: false,
      owning: false,
      inbox: [],
    }));
  }

  start(id: number): void {
    this.stations[id]!.machine.start(this.now);
  }

  stop(id: number): void {
    this.#obey(this.stations[id]!, this.stations[id]!.machine.stop('test'));
  }

  freeze(id: number): void {
    this.stations[id]!.frozen = true;
  }

  thaw(id: number): void {
    const station = this.stations[id]!;
    station.frozen = false;
    for (const run of station.inbox.splice(0)) run();
  }

  /** Stations that would answer a request at this moment. A frozen one does not, whatever it believes. */
  answering(): number[] {
    return this.stations.filter(({ frozen, machine }) => !frozen && machine.mayAnswer(this.now)).map(({ id }) => id);
  }

  owners(): number[] {
    return this.stations.filter(({ owning }) => owning).map(({ id }) => id);
  }

  /** Lets time pass; `watch` is called after every event. */
  run(ms: number, watch: () => void = () => {}): void {
    const end = this.now + ms;
    for (;;) {
      const next = Math.min(
        end,
        ...this.#queue.map(({ at }) => at),
        ...this.stations.map((station) => this.#wakesAt(station)),
      );
      this.now = Math.max(this.now, next);
      if (next >= end) return;
      const due = this.#queue.filter(({ at }) => at <= this.now);
      this.#queue = this.#queue.filter(({ at }) => at > this.now);
      for (const { run } of due) run();
      for (const station of this.stations) {
        if (this.#wakesAt(station) <= this.now) this.#obey(station, station.machine.tick(this.now));
      }
      watch();
    }
  }

  #wakesAt({ frozen, machine }: Station): number {
    return frozen ? Number.POSITIVE_INFINITY : (machine.nextAt ?? Number.POSITIVE_INFINITY);
  }

  #obey(station: Station, actions: readonly VrrpAction[]): void {
    for (const action of actions) {
      if (action.kind === 'send') this.#send(station, action.priority);
      else station.owning = action.kind === 'own';
    }
  }

  #send(from: Station, priority: number): void {
    const heard = { priority, intervalMs: from.settings.intervalMs, from: BigInt(from.id) };
    for (const to of this.stations) {
      if (to === from || this.loses(from.id, to.id)) continue;
      const deliver = () => this.#obey(to, to.machine.receive(heard, this.now));
      this.#queue.push({ at: this.now + this.latencyMs, run: () => (to.frozen ? to.inbox.push(deliver) : deliver()) });
    }
  }
}
