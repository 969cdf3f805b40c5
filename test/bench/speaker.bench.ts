/** What a speaker costs while nothing happens: processor time, memory, and requests to the API server. */
import { grouped } from './groups.js';

const WINDOWS = 12;

export const bench = grouped({
  name: 'speaker',
  title: `what a speaker costs at rest ([GROUP...] [--windows N], of 5 s each, default ${WINDOWS})`,
  needs: 'root',
  repeat: { option: '--windows', times: WINDOWS },
});
