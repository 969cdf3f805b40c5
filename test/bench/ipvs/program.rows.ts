/** How long it takes to fill an empty kernel, beside `ipvsadm --restore` of the same table. */

import type { GroupContext, RowGroup } from '../groups.js';
import { judge, type Row } from '../row.js';
import { BenchTable, sizeName, type TableSize } from './table.js';

const SIZES: readonly TableSize[] = [
  { virtualServers: 1_000, realServers: 10 },
  { virtualServers: 10_000, realServers: 2 },
];
const LIMIT = 1;

export const rows: RowGroup = {
  name: 'program',
  run: async (context) => {
    const rows: Row[] = [];
    for (const size of SIZES) rows.push(await program(size, context));
    return rows;
  },
};

async function program(size: TableSize, { samples, signal, step }: GroupContext): Promise<Row> {
  const table = new BenchTable(size);
  try {
    const ours: number[] = [];
    const theirs: number[] = [];
    while (ours.length < samples) {
      signal.throwIfAborted();
      table.empty();
      theirs.push(table.restore());
      table.check();
      table.empty();
      ours.push((await table.sync(signal)).ms);
      table.check();
      const [us, them] = [ours.at(-1)!, theirs.at(-1)!].map(Math.round);
      step(`${sizeName(size)}, sample ${ours.length} of ${samples}: sync ${us} ms, ipvsadm --restore ${them} ms`);
    }
    return judge({
      name: `ipvs.program.${sizeName(size)}`,
      value: Math.min(...ours),
      unit: 'ms',
      reference: { name: 'ipvsadm --restore', value: Math.min(...theirs) },
      samples: ours,
      limit: LIMIT,
    });
  } finally {
    table.close();
  }
}
