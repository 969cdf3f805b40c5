/** The metrics server of a daemon, as its command line wants it. */

import type { Registry } from 'prom-client';
import type { ListenAddress } from '../metrics/listen-address.js';
import { addProcessMetrics } from '../metrics/process-metrics.js';
import { type MetricsServer, type MetricsServerOptions, serveMetrics } from '../metrics/server.js';
import { version } from '../version.js';

/** undefined when it is switched off. */
export function startMetrics(
  address: ListenAddress | undefined,
  options: Omit<MetricsServerOptions, 'address'> & { registry: Registry },
): MetricsServer | undefined {
  if (address === undefined) return undefined;
  addProcessMetrics(options.registry, { version });
  return serveMetrics({ ...options, address });
}
