/**
 * IPVS at scale: programming, adopting and changing tables beside ipvsadm, and the way through a director beside
 * kube-proxy's.
 *
 * Where something is measured several times, in turn with its reference, the best of each counts: an emulated machine
 * on a busy one is disturbed by a factor of two and more, and only ever to the worse.
 */
import { grouped } from './groups.js';

const SAMPLES = 3;

export const bench = grouped({
  name: 'ipvs',
  title: `IPVS beside ipvsadm, and forwarding beside kube-proxy's way ([GROUP...] [--samples N], default ${SAMPLES})`,
  needs: 'ipvs',
  commands: ['ipvsadm', 'perl'],
  repeat: { option: '--samples', times: SAMPLES },
});
