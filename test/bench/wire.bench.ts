/**
 * The wire thread by itself: a real one, in a process and a network namespace of its own, on a cable to an observer that takes the
 * kernel's time of every frame. What the observer's own process is late by is in no figure.
 */
import { grouped } from './groups.js';

const TRIALS = 10;

export const bench = grouped({
  name: 'wire',
  title: `how late the wire thread is, and how fast it announces ([GROUP...] [--trials N], default ${TRIALS})`,
  needs: 'root',
  repeat: { option: '--trials', times: TRIALS },
});
