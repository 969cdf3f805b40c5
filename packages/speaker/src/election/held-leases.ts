/**
 * Of which virtual routers this node holds the Lease, as far as it knows, on disk: who was the owner when no API server could be asked, and
 * has its speaker restarted then, may go on (lease-election.ts). It is a hint and nothing else: who goes by it asks the LAN first.
 *
 * Written at once, as a process may end at any moment, and without waiting for the disk: after a power cut nobody needs the hint.
 */

import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** To be raised when the meaning of the file changes. */
const VERSION = 1;

export class HeldLeases {
  readonly #folder: string | undefined;
  readonly #onError: (error: Error) => void;
  readonly #held: Set<string>;

  /** @param folder where it is kept; it is made when it is missing. undefined: nowhere */
  constructor(folder: string | undefined, onError: (error: Error) => void) {
    this.#folder = folder;
    this.#onError = onError;
    this.#held = new Set(folder === undefined ? [] : read(fileIn(folder), onError));
  }

  has(virtualRouter: string): boolean {
    return this.#held.has(virtualRouter);
  }

  note(virtualRouter: string, held: boolean): void {
    if (held === this.#held.has(virtualRouter)) return;
    if (held) this.#held.add(virtualRouter);
    else this.#held.delete(virtualRouter);
    if (this.#folder !== undefined) this.#write(this.#folder);
  }

  #write(folder: string): void {
    const file = fileIn(folder);
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      writeFileSync(`${file}.next`, JSON.stringify({ version: VERSION, held: [...this.#held].sort() }), {
        mode: 0o600,
      });
      renameSync(`${file}.next`, file);
    } catch (error) {
      this.#onError(new Error(`could not note in ${file} which Leases this node holds: ${(error as Error).message}`));
    }
  }
}

function fileIn(folder: string): string {
  return join(folder, 'held-leases.json');
}

function read(file: string, onError: (error: Error) => void): string[] {
  try {
    const { version, held } = JSON.parse(readFileSync(file, 'utf8')) as { version?: unknown; held?: unknown };
    if (version !== VERSION || !Array.isArray(held)) throw new Error('it is not of a kind that this speaker knows');
    return held.map(String);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      onError(new Error(`${file} is not used: ${(error as Error).message}`));
    }
    return [];
  }
}
