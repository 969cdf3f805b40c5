/**
 * IPVS at scale: programming, adopting and changing tables beside ipvsadm, and the way through a director beside
 * kube-proxy's. What is measured is in ipvs/*.rows.ts.
 */
import { existsSync, readdirSync } from 'node:fs';
import type { Bench, BenchContext } from './bench.js';
import type { GroupContext, RowGroup } from './ipvs/group.js';
import type { Row } from './row.js';

const DEFAULT_SAMPLES = 3;
const here = new URL('ipvs/', import.meta.url);
const sources = new URL('../../bench/ipvs/', import.meta.url);

export const bench: Bench = {
  name: 'ipvs',
  title: `IPVS beside ipvsadm, and forwarding beside kube-proxy's way ([GROUP...] [--samples N], default ${DEFAULT_SAMPLES})`,
  needs: 'ipvs',
  run,
};

async function run(context: BenchContext): Promise<Row[]> {
  const groups = await loadGroups();
  const { names, samples } = parse(context.args);
  for (const name of names) {
    if (groups.some((group) => group.name === name)) continue;
    throw new TypeError(`There is no group "${name}" of rows: ${groups.map((group) => group.name).join(', ')}`);
  }
  const groupContext: GroupContext = { ...context, samples };
  const rows: Row[] = [];
  for (const group of groups) {
    if (names.length > 0 && !names.includes(group.name)) continue;
    context.signal.throwIfAborted();
    rows.push(...(await group.run(groupContext)));
  }
  return rows;
}

/** Every NAME.rows.js that still has a source: tsc leaves the output of a removed one behind. */
async function loadGroups(): Promise<RowGroup[]> {
  const files = readdirSync(here)
    .filter((name) => name.endsWith('.rows.js') && existsSync(new URL(name.replace(/\.js$/, '.ts'), sources)))
    .sort();
  return Promise.all(files.map(async (name) => ((await import(new URL(name, here).href)) as { rows: RowGroup }).rows));
}

function parse(args: readonly string[]): { names: string[]; samples: number } {
  const index = args.indexOf('--samples');
  const samples = index < 0 ? DEFAULT_SAMPLES : Number(args[index + 1]);
  if (!Number.isInteger(samples) || samples < 1) throw new TypeError('--samples takes a whole number from 1 on');
  return { names: args.filter((_, i) => index < 0 || (i !== index && i !== index + 1)), samples };
}
