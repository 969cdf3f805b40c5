/** What a Service wishes beyond ports: read once when the Service changes, not for every change of its endpoints. Pure. */
import { annotations } from '@fairlead/api';
import type { PlanProblem, PlanProblemCode, ServiceInput } from './input.js';
import { parseScheduler, type Scheduler } from './scheduler.js';
import { parseSourceRanges, type SourceRanges } from './source-ranges.js';

/** Where to: every node, the nodes that have endpoints, or the endpoints themselves. */
export type Mode = 'nodes' | 'local' | 'pods';

export interface Settings {
  mode: Mode;
  scheduler: Scheduler;
  persistenceSeconds: number | undefined;
  /** undefined: everyone, over both families. */
  sourceRanges: SourceRanges | undefined;
  problems: PlanProblem[];
}

export function settingsOf(service: ServiceInput, defaultScheduler: Scheduler): Settings {
  const problems: PlanProblem[] = [];
  const tell = (code: PlanProblemCode, message: string) => problems.push({ service: service.name, code, message });
  for (const name of service.unknownAnnotations ?? []) {
    tell(
      'FL_UNKNOWN_ANNOTATION',
      `Service ${service.name} has the annotation ${name}, which means nothing to Fairlead: correct or remove it (there are ` +
        `${Object.values(annotations).join(', ')})`,
    );
  }
  return {
    mode: mode(service, tell),
    scheduler: scheduler(service, defaultScheduler, tell),
    persistenceSeconds: service.persistenceSeconds,
    sourceRanges: sourceRanges(service, tell),
    problems,
  };
}

type Tell = (code: PlanProblemCode, message: string) => void;

function mode({ name, forwarding, withoutNodePorts, local }: ServiceInput, tell: Tell): Mode {
  if (forwarding !== undefined && forwarding !== 'node' && forwarding !== 'pod') {
    tell(
      'FL_BAD_FORWARDING',
      `Service ${name} has the annotation fairlead.dev/forwarding: "${forwarding}", which is neither "node" nor "pod" ` +
        'and does not count: correct or remove it',
    );
  }
  if (forwarding === 'pod' || (forwarding !== 'node' && withoutNodePorts)) return 'pods';
  return local ? 'local' : 'nodes';
}

function scheduler({ name, scheduler: text }: ServiceInput, byDefault: Scheduler, tell: Tell): Scheduler {
  if (text === undefined) return byDefault;
  const parsed = parseScheduler(text);
  if (!('wrong' in parsed)) return parsed;
  tell(
    'FL_BAD_SCHEDULER',
    `Service ${name} has the annotation fairlead.dev/scheduler: "${text}", but ${parsed.wrong}; the default ` +
      `${[byDefault.name, ...(byDefault.flags ?? [])].join(',')} is used until it is corrected or removed`,
  );
  return byDefault;
}

function sourceRanges({ name, sourceRanges: texts, vips }: ServiceInput, tell: Tell): SourceRanges | undefined {
  if (texts === undefined || texts.length === 0) return undefined;
  const ranges = parseSourceRanges(texts);
  for (const text of ranges.invalid) {
    tell(
      'FL_BAD_SOURCE_RANGE',
      `Service ${name} has "${text}" in its loadBalancerSourceRanges, which is not a CIDR and lets nobody in: ` +
        'write ADDRESS/PREFIX, as in 192.0.2.0/24',
    );
  }
  for (const family of ['ipv4', 'ipv6'] as const) {
    const vip = vips.find((candidate) => candidate.includes(':') === (family === 'ipv6'));
    if (vip === undefined || ranges[family]?.length !== 0) continue;
    tell(
      'FL_NO_SOURCE_RANGE',
      `Service ${name} has no usable ${family} range in its loadBalancerSourceRanges, so nobody can connect to ${vip}: ` +
        `add one (${family === 'ipv4' ? '0.0.0.0/0' : '::/0'} for everyone)`,
    );
  }
  return ranges;
}
