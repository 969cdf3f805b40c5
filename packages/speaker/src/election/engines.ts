/** Both engines as one: each virtual router is contested by the engine that its pool names. */

import type { Contested, Election, Engine } from './election.js';

export class Engines implements Election {
  readonly #engines: Readonly<Record<Engine, Election>>;
  #engineOf = new Map<string, Engine>();

  constructor(engines: Readonly<Record<Engine, Election>>) {
    this.#engines = engines;
  }

  /** One that changes its engine is yielded by the former before the other contests it. */
  configure(contested: readonly Contested[]): void {
    const kept = contested.filter(({ name, engine }) => (this.#engineOf.get(name) ?? engine) === engine);
    this.#configure(kept);
    this.#engineOf = new Map(contested.map(({ name, engine }) => [name, engine]));
    if (kept.length < contested.length) this.#configure(contested);
  }

  setFit(fit: boolean): void {
    for (const engine of this.#all()) engine.setFit(fit);
  }

  mayAnswer(name: string): boolean {
    return this.#of(name)?.mayAnswer(name) ?? false;
  }

  isUncertain(name: string): boolean {
    return this.#of(name)?.isUncertain(name) ?? false;
  }

  rivalHeard(name: string): void {
    this.#of(name)?.rivalHeard(name);
  }

  claimed(name: string, node: string | undefined): void {
    this.#of(name)?.claimed(name, node);
  }

  async stop(options: { release: boolean }): Promise<void> {
    await Promise.all(this.#all().map((engine) => engine.stop(options)));
  }

  #of(name: string): Election | undefined {
    const engine = this.#engineOf.get(name);
    return engine && this.#engines[engine];
  }

  #configure(contested: readonly Contested[]): void {
    for (const [name, engine] of Object.entries(this.#engines)) {
      engine.configure(contested.filter((spec) => spec.engine === name));
    }
  }

  #all(): Election[] {
    return Object.values(this.#engines);
  }
}
