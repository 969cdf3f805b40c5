/** The process around the runner: `npm run bench` starts it, on a kernel that has what the benchmark needs. */
import { existsSync, readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import type { Bench } from './bench.js';
import { runBench } from './runner.js';

const here = new URL('.', import.meta.url);
const sources = new URL('../../bench/', here);

/** Every NAME.bench.js that still has a source: tsc leaves the output of a removed one behind. */
async function loadBenches(): Promise<Bench[]> {
  const names = readdirSync(here)
    .filter((name) => name.endsWith('.bench.js') && existsSync(new URL(name.replace(/\.js$/, '.ts'), sources)))
    .sort();
  const modules = await Promise.all(
    names.map(async (name) => (await import(new URL(name, here).href)) as ModuleOfBench),
  );
  return modules.map(({ bench }) => bench);
}

interface ModuleOfBench {
  readonly bench: Bench;
}

const abort = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => abort.abort(new Error(`Stopped by ${signal}`)));
}
process.exitCode = await runBench(process.argv.slice(2), {
  benches: await loadBenches(),
  signal: abort.signal,
  colors: process.env.FORCE_COLOR === '1' || (process.stdout.isTTY && !process.env.NO_COLOR),
  print: (text) => console.log(text),
  say: (text) => console.error(text),
  writeFile,
});
