/** docs/metrics.md, as the metrics themselves say it. */

import { ControllerMetrics } from '@fairlead/controller';
import { REAL_SERVER_METRICS, SpeakerMetrics } from '@fairlead/speaker';
import { Registry } from 'prom-client';
import { addProcessMetrics } from './process-metrics.js';

const INTRODUCTION = `# Metrics

Both daemons serve \`/metrics\` for Prometheus, \`/healthz\` and \`/readyz\` over HTTP: a speaker on port 7480 of its node, a controller on port 7481
of its Pod. \`--metrics-address\` changes that (\`127.0.0.1:7480\`, \`off\`). A port that is taken is logged and tried again; VIPs do not depend on it.

- A speaker is ready when its kernel holds what it should, a controller when it stands for leadership (a standby is ready, too).
- A scrape costs the same for one Service and for ten thousand. What each real server has done is a page of its own, \`/metrics/virtual-servers\`,
  which reads the kernel's whole table and grows with the Services: scrape it rarely, or by hand.
- \`kubectl -n fairlead-system get pods\` finds who to ask; the manifests in \`deploy/\` carry the annotations \`prometheus.io/scrape\` and \`prometheus.io/port\`.

Worth an alert: \`fairlead_speaker_panic == 1\`, \`fairlead_speaker_kernel_in_sync == 0\` for a minute, \`fairlead_speaker_address_conflict == 1\`,
\`rate(fairlead_speaker_conntrack_insert_failed_total[5m]) > 0\`, \`sum by (virtual_router) (fairlead_speaker_virtual_router_owner) != 1\`,
\`sum(fairlead_controller_leader) != 1\`, \`fairlead_controller_services_waiting > 0\`.

<!-- What follows is made of the code: FAIRLEAD_WRITE_DOCS=1 npx mocha packages/cli/dist/metrics/documentation.spec.js -->
`;

interface Described {
  name: string;
  type: string;
  help: string;
  labelNames: readonly string[];
}

/** The whole page. */
export function metricsPage(): string {
  const both = new Registry();
  addProcessMetrics(both, { version: '' });
  const sections: [string, readonly Described[]][] = [
    ['Speaker', speakerMetrics()],
    ['Speaker, `/metrics/virtual-servers`', REAL_SERVER_METRICS],
    ['Controller', controllerMetrics()],
    ['Both', describe(both)],
  ];
  return `${INTRODUCTION}\n${sections.map(([title, metrics]) => `## ${title}\n\n${table(metrics)}`).join('\n')}`;
}

export function speakerMetrics(): Described[] {
  return describe(new SpeakerMetrics().registry);
}

export function controllerMetrics(): Described[] {
  return describe(new ControllerMetrics().registry);
}

/** What prom-client's metrics know of themselves; its types do not tell. */
function describe(registry: Registry): Described[] {
  const metrics = registry.getMetricsAsArray() as unknown as Omit<Described, 'type'>[];
  return metrics.map((metric) => ({ ...metric, type: metric.constructor.name.toLowerCase() }));
}

function table(metrics: readonly Described[]): string {
  const rows = [...metrics]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, type, help, labelNames }) => `| \`${name}\` | ${type} | ${labelNames.join(', ')} | ${help} |`);
  return ['| name | type | labels | |', '|---|---|---|---|', ...rows, ''].join('\n');
}
