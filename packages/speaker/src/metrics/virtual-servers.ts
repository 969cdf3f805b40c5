/**
 * What each real server of each virtual server has done, from the kernel's own table. It grows with the Services, so it is no part of a
 * usual scrape: only who asks for it gets it (`/metrics/virtual-servers`). Written by hand: prom-client would take a second for
 * ten thousand virtual servers, and nothing here outlives the answer.
 */

import { endpoint, type RealServerStats, type VirtualServerStats } from '@fairlead/ipvs';

/** More real servers than this are more than a Prometheus wants of one target: what comes after is left out, and said. */
export const MAX_REAL_SERVERS = 50_000;

export interface RealServerMetric {
  name: string;
  type: 'counter' | 'gauge';
  help: string;
  labelNames: readonly string[];
}

/** undefined: this forwarder does not count it. */
type Read = (server: RealServerStats) => number | bigint | undefined;

const SERVER = ['vip', 'port', 'protocol', 'real_server'] as const;
const PREFIX = 'fairlead_speaker_real_server';

const read: (RealServerMetric & { values: readonly { labels: string; of: Read }[] })[] = [
  {
    name: `${PREFIX}_weight`,
    type: 'gauge',
    help: 'Weight in the kernel; 0 gets no new connections.',
    labelNames: SERVER,
    values: [{ labels: '', of: ({ weight }) => weight }],
  },
  {
    name: `${PREFIX}_connections_total`,
    type: 'counter',
    help: 'Connections given to the real server since it was added.',
    labelNames: SERVER,
    values: [{ labels: '', of: ({ connections }) => connections }],
  },
  {
    name: `${PREFIX}_active_connections`,
    type: 'gauge',
    help: 'Established connections. Only with IPVS.',
    labelNames: SERVER,
    values: [{ labels: '', of: ({ activeConnections }) => activeConnections }],
  },
  {
    name: `${PREFIX}_bytes_total`,
    type: 'counter',
    help: 'Bytes by direction, as the real server sees it. Only with IPVS.',
    labelNames: [...SERVER, 'direction'],
    values: [
      { labels: ',direction="in"', of: ({ inBytes }) => inBytes },
      { labels: ',direction="out"', of: ({ outBytes }) => outBytes },
    ],
  },
];

const leftOut: RealServerMetric = {
  name: `${PREFIX}s_left_out`,
  type: 'gauge',
  help: `Real servers beyond the first ${MAX_REAL_SERVERS}, which are not shown.`,
  labelNames: [],
};

/** What there is on the page. */
export const REAL_SERVER_METRICS: readonly RealServerMetric[] = [...read, leftOut];

/** The page, in Prometheus' text format. */
export function virtualServersPage(stats: readonly VirtualServerStats[]): string {
  const servers = stats.flatMap((virtual) =>
    virtual.realServers.map((real) => ({ labels: labelsOf(virtual, real), real })),
  );
  const shown = servers.slice(0, MAX_REAL_SERVERS);
  const lines: string[] = [];
  for (const metric of read) {
    lines.push(...heading(metric));
    for (const { labels, real } of shown) {
      for (const { labels: more, of } of metric.values) {
        const value = of(real);
        if (value !== undefined) lines.push(`${metric.name}{${labels}${more}} ${value}`);
      }
    }
  }
  lines.push(...heading(leftOut), `${leftOut.name} ${servers.length - shown.length}`, '');
  return lines.join('\n');
}

/** Addresses and numbers: nothing in them has to be escaped. */
function labelsOf({ address, port, protocol }: VirtualServerStats, real: RealServerStats): string {
  return `vip="${address}",port="${port}",protocol="${protocol}",real_server="${endpoint(real.address, real.port)}"`;
}

function heading({ name, type, help }: RealServerMetric): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
}
