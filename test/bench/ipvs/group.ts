/**
 * The rows of `npm run bench -- ipvs` come in groups, one a file: NAME.rows.ts in this folder that exports `rows`.
 * Groups run one after another, in the order of their names.
 *
 * Where something is measured several times, in turn with its reference, the best of each counts: an emulated machine
 * on a busy one is disturbed by a factor of two and more, and only ever to the worse.
 */
import type { BenchContext } from '../bench.js';
import type { Row } from '../row.js';

export interface RowGroup {
  /** As on the command line, and the file's name: `program` has the rows `ipvs.program.*`. */
  readonly name: string;
  run(context: GroupContext): Promise<Row[]>;
}

export interface GroupContext extends BenchContext {
  /** How often each thing is measured. */
  readonly samples: number;
}
