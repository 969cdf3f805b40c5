/**
 * How long a failover hurts: something happens to the owner of a VIP while a client opens a TCP connection every 10 ms, over and over
 * with the same cluster; crashed nodes are switched on again and return as standbys.
 */
import { grouped } from './groups.js';

const TRIALS = 20;

export const bench = grouped({
  name: 'failover',
  title: `what a client notices when the owner of a VIP goes ([GROUP...] [--trials N] of each case, default ${TRIALS})`,
  needs: 'root',
  commands: ['keepalived'],
  repeat: { option: '--trials', times: TRIALS },
});
