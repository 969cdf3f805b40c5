/**
 * Benchmarks of many rows come in groups, one a file: NAME.rows.ts in the benchmark's folder that exports `rows`. `npm run bench -- ipvs
 * change` runs one group; without a name all run one after another, in the order of their names.
 */
import { existsSync, readdirSync } from 'node:fs';
import { type Bench, type BenchContext, UsageError } from './bench.js';
import type { Row } from './row.js';

export interface RowGroup {
  /** As on the command line, and the file's name: `program` of `ipvs` has the rows `ipvs.program.*`. */
  readonly name: string;
  run(context: GroupContext): Promise<Row[]>;
}

export interface GroupContext extends BenchContext {
  /** How often each thing is measured. */
  readonly samples: number;
}

export interface GroupedBench extends Omit<Bench, 'run'> {
  /** The option that says how often each thing is measured, `--samples`, and what it is without. */
  readonly repeat: { readonly option: string; readonly times: number };
}

/** The benchmark `description.name`, whose groups are in the folder of that name. */
export function grouped({ repeat, ...description }: GroupedBench): Bench {
  return {
    ...description,
    run: async (context) => {
      const groups = await loadGroups(description.name);
      const { names, samples } = parse(context.args, repeat);
      const unknown = names.find((name) => !groups.some((group) => group.name === name));
      if (unknown !== undefined) {
        throw new UsageError(`there is no group "${unknown}" of rows: ${groups.map(({ name }) => name).join(', ')}`);
      }
      const rows: Row[] = [];
      for (const group of groups) {
        if (names.length > 0 && !names.includes(group.name)) continue;
        context.signal.throwIfAborted();
        rows.push(...(await group.run({ ...context, samples })));
      }
      return rows;
    },
  };
}

/** Every NAME.rows.js that still has a source: tsc leaves the output of a removed one behind. */
async function loadGroups(bench: string): Promise<RowGroup[]> {
  const here = new URL(`${bench}/`, import.meta.url);
  const sources = new URL(`../../bench/${bench}/`, import.meta.url);
  const files = readdirSync(here)
    .filter((name) => name.endsWith('.rows.js') && existsSync(new URL(name.replace(/\.js$/, '.ts'), sources)))
    .sort();
  return Promise.all(files.map(async (name) => ((await import(new URL(name, here).href)) as { rows: RowGroup }).rows));
}

function parse(
  args: readonly string[],
  { option, times }: GroupedBench['repeat'],
): { names: string[]; samples: number } {
  const index = args.indexOf(option);
  const samples = index < 0 ? times : Number(args[index + 1]);
  if (!Number.isInteger(samples) || samples < 1) throw new UsageError(`${option} takes a whole number from 1 on`);
  return { names: args.filter((_, i) => index < 0 || (i !== index && i !== index + 1)), samples };
}
