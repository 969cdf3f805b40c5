/** Runs one benchmark, or lists them: everything of the command but the process around it. */
import { type Bench, type BenchContext, UsageError } from './bench.js';
import type { Row } from './row.js';
import { formatTable } from './table.js';

/** Where the runner reads from and writes to. */
export interface Surroundings {
  /** Every benchmark there is. */
  readonly benches: readonly Bench[];
  readonly signal: AbortSignal;
  readonly colors: boolean;
  /** For the table. */
  print(text: string): void;
  /** For progress and errors. */
  say(text: string): void;
  writeFile(path: string, text: string): Promise<void>;
}

/**
 * `` lists; `--needs NAME` tells what a benchmark needs, kernel first and then commands; `NAME [--json FILE] [OPTIONS]` runs it.
 * @returns exit code: 0, 1 when a row missed its limit, 2 when there is no such benchmark or option
 */
export async function runBench(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const { benches, print, say } = surroundings;
  const [first, ...rest] = args;
  if (first === undefined) {
    print(formatList(benches));
    return 0;
  }
  const name = first === '--needs' ? rest[0] : first;
  const bench = benches.find((candidate) => candidate.name === name);
  if (!bench) {
    say(`There is no benchmark "${name}". ${formatList(benches)}`);
    return 2;
  }
  if (first === '--needs') {
    print([bench.needs, ...(bench.commands ?? [])].join(' '));
    return 0;
  }
  const { options, json } = parse(rest);
  const context: BenchContext = { args: options, step: (text) => say(`▸ ${text}`), signal: surroundings.signal };
  say(`${bench.name}: ${bench.title}`);
  let rows: Row[];
  try {
    rows = await bench.run(context);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    say(`${bench.name}: ${error.message}`);
    return 2;
  }
  if (rows.length === 0) throw new Error(`The benchmark ${bench.name} gave no rows`);
  print(formatTable(rows, surroundings.colors));
  if (json !== undefined) await surroundings.writeFile(json, `${JSON.stringify(rows, null, 2)}\n`);
  return report(rows, say);
}

function parse(args: readonly string[]): { options: string[]; json: string | undefined } {
  const index = args.indexOf('--json');
  if (index < 0) return { options: [...args], json: undefined };
  return { options: [...args.slice(0, index), ...args.slice(index + 2)], json: args[index + 1] };
}

function report(rows: readonly Row[], say: (text: string) => void): number {
  const missed = rows.filter((row) => row.ok === false);
  if (missed.length === 0) return 0;
  say(`Missed: ${missed.map((row) => row.name).join(', ')}`);
  return 1;
}

function formatList(benches: readonly Bench[]): string {
  const width = Math.max(...benches.map((bench) => bench.name.length));
  const lines = benches.map((bench) => `  ${bench.name.padEnd(width)}  ${bench.title}`);
  return ['Benchmarks (npm run bench -- NAME [--json FILE]):', ...lines].join('\n');
}
