/** What a benchmark is: a file NAME.bench.ts in this folder that exports `bench`. */
import type { Row } from './row.js';

export interface Bench {
  /** As on the command line, and the file's name. */
  readonly name: string;
  /** One line for the list: what is measured, and against what. */
  readonly title: string;
  /** The kernel and the rights that it runs with: `ipvs` is in a guest where this machine's kernel has none. */
  readonly needs: 'ipvs' | 'root' | 'none';
  /** What it measures against, or with, beyond what runs Fairlead: keys of PACKAGES in scripts/lib/packages.mjs. */
  readonly commands?: readonly string[];
  run(context: BenchContext): Promise<Row[]>;
}

/** The command line asks for what this benchmark does not have: told in one line, exit code 2. */
export class UsageError extends Error {}

export interface BenchContext {
  /** What followed the name on the command line, without `--json FILE`. */
  readonly args: readonly string[];
  /** Tells the person who waits what is being done now. */
  step(text: string): void;
  /** Aborted by Ctrl-C: clean up, and reject. */
  readonly signal: AbortSignal;
}
