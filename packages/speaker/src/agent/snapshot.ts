/**
 * What a speaker knows of the cluster, on disk: a speaker that starts while no API server answers goes on from there. It is a cache and
 * nothing else. One that is missing, damaged or of another version is as good as none, and a disk that is full or read-only costs
 * nothing but the snapshot.
 */
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { KubeObject } from '@fairlead/kube';
import type { Logger } from 'pino';

/** To be raised when what is kept of objects changes. */
const VERSION = 1;

/** By resource, such as `services`. */
export type Contents = Readonly<Record<string, readonly KubeObject[]>>;

export interface SnapshotOptions {
  /** A folder of this speaker's own; it is made when it is missing. */
  folder: string;
  contents: () => Contents;
  /** A snapshot is written so long after the first change that the last one does not have, ms. */
  delayMs: number;
  log: Pick<Logger, 'info' | 'warn'>;
}

export interface Found {
  contents: Contents;
  /** When it was written, RFC 3339. */
  writtenAt: string;
}

/** Where it is, in its folder. */
export function snapshotFile(folder: string): string {
  return join(folder, 'snapshot.json');
}

/** undefined where there is none that could be used; `complain` hears why, unless there never was one. */
export async function readSnapshot(folder: string, complain: (why: string) => void): Promise<Found | undefined> {
  const file = snapshotFile(folder);
  try {
    const parsed = JSON.parse(await readFile(file, 'utf8')) as {
      version?: unknown;
      writtenAt?: unknown;
      contents?: Contents;
    };
    if (parsed.version !== VERSION)
      throw new Error(`it is of version ${parsed.version}, and this speaker reads ${VERSION}`);
    const { contents, writtenAt } = parsed;
    if (!isWhole(contents)) throw new Error('it is not whole');
    return { contents, writtenAt: String(writtenAt) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      complain(`${file} is not used: ${(error as Error).message}`);
    return undefined;
  }
}

/** Whether it is of named objects: a speaker that fails by what it reads would fail whenever it starts. */
function isWhole(contents: Contents | undefined): contents is Contents {
  const isNamed = (object: KubeObject | null) => typeof object?.metadata?.name === 'string';
  if (typeof contents !== 'object' || contents === null) return false;
  return Object.values(contents).every((objects) => Array.isArray(objects) && objects.every(isNamed));
}

export class Snapshot {
  readonly #options: SnapshotOptions;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #failing = false;

  constructor(options: SnapshotOptions) {
    this.#options = options;
  }

  /** Something changed. */
  changed(): void {
    this.#timer ??= setTimeout(() => void this.#write(), this.#options.delayMs);
    this.#timer.unref();
  }

  /** Writes what is not written yet. */
  async stop(): Promise<void> {
    if (this.#timer !== undefined) await this.#write();
    await this.#writing;
  }

  #write(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const writing = (this.#writing ?? Promise.resolve()).then(() => this.#attempt());
    this.#writing = writing;
    return writing;
  }

  async #attempt(): Promise<void> {
    const { folder, contents, log } = this.#options;
    const file = snapshotFile(folder);
    try {
      const text = JSON.stringify({ version: VERSION, writtenAt: new Date().toISOString(), contents: contents() });
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await replace(file, text);
      if (this.#failing) log.info({ file }, 'the snapshot can be written again');
      this.#failing = false;
    } catch (error) {
      const why = `the snapshot ${file} could not be written, so a speaker that starts without an API server has none: ${(error as Error).message}`;
      if (!this.#failing) log.warn({ err: error, file }, why);
      this.#failing = true;
    }
  }
}

/** Either the old file or the whole new one is there, also after a power cut. */
async function replace(file: string, text: string): Promise<void> {
  const next = `${file}.next`;
  const handle = await open(next, 'w', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(next, file);
}
