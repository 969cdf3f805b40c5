/**
 * What every program tells Prometheus about itself. Not prom-client's own set: that one measures the event loop with a timer which
 * fires a hundred times a second for as long as the process lives.
 */

import type { Registry } from 'prom-client';
import { Counter, Gauge } from './prom-client.js';

export function addProcessMetrics(registry: Registry, build: { version: string }): void {
  const registers = [registry];
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'User and system CPU time spent, in seconds.',
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  new Gauge({
    name: 'process_resident_memory_bytes',
    help: 'Resident memory size in bytes.',
    registers,
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  new Gauge({
    name: 'process_start_time_seconds',
    help: 'Start time of the process since the epoch, in seconds.',
    registers,
  }).set(Math.round(Date.now() / 1_000 - process.uptime()));
  new Gauge({
    name: 'nodejs_heap_used_bytes',
    help: 'JavaScript heap in use on the main thread, in bytes.',
    registers,
    collect() {
      this.set(process.memoryUsage().heapUsed);
    },
  });
  new Gauge({
    name: 'fairlead_build_info',
    help: '1, with the version of Fairlead and of Node.js.',
    labelNames: ['version', 'node_version'],
    registers,
  }).set({ version: build.version, node_version: process.versions.node }, 1);
}
