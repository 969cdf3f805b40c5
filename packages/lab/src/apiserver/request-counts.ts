/** How often was what asked for, and by which program: for tests, and as `/metrics` of an API server has it. */
import type { RequestInfo } from './faults.js';

export class RequestCounts {
  /** Requests so far, by `verb resource`, such as `list services`. */
  readonly byVerb = new Map<string, number>();
  /** The same, by the labels of the metric. */
  readonly #byLabels = new Map<string, number>();

  add({ verb, resource, userAgent = '' }: RequestInfo): void {
    increase(this.byVerb, `${verb} ${resource}`);
    // What stands before the version; the API server proper has no such label.
    const client = userAgent.split('/')[0]!.replace(/["\\\n]/g, '');
    increase(this.#byLabels, `client="${client}",resource="${resource}",verb="${verb}"`);
  }

  /** In Prometheus' text format. */
  metrics(): string {
    const name = 'apiserver_request_total';
    const samples = [...this.#byLabels].map(([labels, count]) => `${name}{${labels}} ${count}\n`);
    return `# HELP ${name} Requests by verb, resource and client.\n# TYPE ${name} counter\n${samples.join('')}`;
  }
}

function increase(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
