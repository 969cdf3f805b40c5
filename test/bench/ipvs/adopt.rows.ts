/** How long a restarted process takes to find that nothing has to be written, beside `ipvsadm -Ln`. */

import type { RowGroup } from '../groups.js';
import { judge } from '../row.js';
import { BenchTable, sizeName } from './table.js';

const SIZE = { virtualServers: 10_000, realServers: 2 };
const LIMIT = 1.5;

export const rows: RowGroup = {
  name: 'adopt',
  run: async ({ samples, signal, step }) => {
    const table = new BenchTable(SIZE);
    try {
      await table.sync(signal);
      table.check();
      const ours: number[] = [];
      const theirs: number[] = [];
      while (ours.length < samples) {
        signal.throwIfAborted();
        theirs.push(table.list());
        const { ms, operations } = await table.sync(signal);
        if (operations > 0) throw new Error(`adopting a table that was right made ${operations} writes`);
        ours.push(ms);
        step(
          `sample ${ours.length} of ${samples}: adoption ${Math.round(ms)} ms, ipvsadm -Ln ${Math.round(theirs.at(-1)!)} ms`,
        );
      }
      return [
        judge({
          name: `ipvs.adopt.${sizeName(SIZE)}`,
          value: Math.min(...ours),
          unit: 'ms',
          reference: { name: 'ipvsadm -Ln', value: Math.min(...theirs) },
          samples: ours,
          limit: LIMIT,
        }),
      ];
    } finally {
      table.close();
    }
  },
};
