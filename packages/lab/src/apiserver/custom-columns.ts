/** `additionalPrinterColumns` of a CustomResourceDefinition: JSONPath into cells. */
import type { Column } from './resources.js';
import { ageColumn, ageOf, nameColumn } from './table.js';
import { isObject, type JsonObject } from './types.js';

type Step = { kind: 'field'; name: string } | { kind: 'all' } | { kind: 'index'; index: number } | Filter;
interface Filter {
  kind: 'filter';
  path: Step[];
  equals: string;
}

/** Each form of a step, and what it becomes; undefined where a nested path is not understood. */
const GRAMMAR: [RegExp, (match: RegExpExecArray) => Step | undefined][] = [
  [/^\.\*|^\[\*\]/, () => ({ kind: 'all' })],
  [/^\.((?:\\.|[^.[\]\\])+)/, (match) => ({ kind: 'field', name: match[1]!.replace(/\\(.)/g, '$1') })],
  [/^\[(?:'([^']*)'|"([^"]*)")\]/, (match) => ({ kind: 'field', name: match[1] ?? match[2]! })],
  [/^\[(-?\d+)\]/, (match) => ({ kind: 'index', index: Number(match[1]) })],
  [
    /^\[\?\(@([^=!<>]+?)\s*==\s*(?:"([^"]*)"|'([^']*)')\)\]/,
    (match) => {
      const path = parseJsonPath(match[1]!);
      return path && { kind: 'filter', path, equals: match[2] ?? match[3]! };
    },
  ],
];

/**
 * Parses the part of kubectl's JSONPath that printer columns use: `.spec.addresses[*]`,
 * `.status.conditions[?(@.type=="Ready")].status`, `.metadata.annotations['a/b']`. Undefined when it is something else.
 */
export function parseJsonPath(text: string): Step[] | undefined {
  const steps: Step[] = [];
  let rest = text.trim();
  while (rest !== '') {
    let step: Step | undefined;
    let length = 0;
    for (const [form, make] of GRAMMAR) {
      const match = form.exec(rest);
      if (!match) continue;
      step = make(match);
      length = match[0].length;
      break;
    }
    if (!step) return undefined;
    steps.push(step);
    rest = rest.slice(length);
  }
  return steps;
}

/** All values that the path leads to. */
export function resolveJsonPath(value: unknown, steps: readonly Step[]): unknown[] {
  let values: unknown[] = [value];
  for (const step of steps) values = values.flatMap((one) => follow(one, step));
  return values;
}

function follow(value: unknown, step: Step): unknown[] {
  switch (step.kind) {
    case 'field':
      return isObject(value) && step.name in value ? [value[step.name]] : [];
    case 'all':
      return Array.isArray(value) ? value : isObject(value) ? Object.values(value) : [];
    case 'index':
      return Array.isArray(value) && value.at(step.index) !== undefined ? [value.at(step.index)] : [];
    case 'filter':
      if (!Array.isArray(value)) return [];
      return value.filter((item) => resolveJsonPath(item, step.path).some((found) => String(found) === step.equals));
  }
}

/** Name, the columns of the definition, and Age where the definition has none of its own. */
export function customColumns(definitions: readonly JsonObject[] | undefined): readonly Column[] {
  if (!definitions || definitions.length === 0) return [nameColumn, ageColumn];
  return [
    nameColumn,
    ...definitions.map((definition): Column => {
      const steps = parseJsonPath(definition.jsonPath) ?? [];
      const type = definition.type as Column['type'];
      return {
        name: definition.name,
        type,
        ...(definition.format ? { format: definition.format } : {}),
        ...(definition.description ? { description: definition.description } : {}),
        priority: definition.priority ?? 0,
        cell(object, nowMs) {
          const values = steps.length === 0 ? [] : resolveJsonPath(object, steps);
          if (values.length === 0 || values[0] === undefined) return null;
          if (type === 'date') return typeof values[0] === 'string' ? ageOf(values[0], nowMs) : '<unknown>';
          if (type === 'string') {
            // As in the real server: one value is printed plainly, lists as JSON does.
            const [only] = values;
            return values.length === 1 && typeof only === 'string' ? only : values.map(show).join(',');
          }
          return values[0] as number | boolean;
        },
      };
    }),
  ];
}

const show = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
