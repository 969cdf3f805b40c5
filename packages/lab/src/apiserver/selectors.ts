/**
 * Label and field selectors: parsed once per request, then asked for every object.
 * Grammar: k8s.io/apimachinery/pkg/labels (Parse) and /pkg/fields (ParseSelector).
 */
import { badRequest } from './errors.js';
import type { KubeObject } from './types.js';

/** One term of a label selector. `gt` and `lt` compare whole numbers. */
export type LabelRequirement =
  | { key: string; operator: 'in' | 'notin'; values: readonly string[] }
  | { key: string; operator: 'exists' | 'missing' }
  | { key: string; operator: 'gt' | 'lt'; value: number };

/** One term of a field selector. */
export interface FieldRequirement {
  path: string;
  equal: boolean;
  value: string;
}

const KEY = /^([a-z0-9A-Z][-a-z0-9A-Z.]{0,252}\/)?[a-z0-9A-Z]([-a-z0-9A-Z_.]{0,61}[a-z0-9A-Z])?$/;
const VALUE = /^([a-z0-9A-Z]([-a-z0-9A-Z_.]{0,61}[a-z0-9A-Z])?)?$/;

/** Splits at commas that stand outside parentheses. */
function terms(text: string): string[] {
  const out: string[] = [];
  let depth = 0;
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '(') depth++;
    else if (text[i] === ')') depth--;
    else if (text[i] === ',' && depth === 0) {
      out.push(text.slice(from, i));
      from = i + 1;
    }
  }
  out.push(text.slice(from));
  return out.map((term) => term.trim());
}

/**
 * Parses `app=web,tier in (a,b),!canary`.
 * @throws ApiError 400 that quotes the term which is wrong.
 */
export function parseLabelSelector(text: string): LabelRequirement[] {
  if (text.trim() === '') return [];
  return terms(text).map((term) => {
    const fail = (why: string) => badRequest(`unable to parse requirement: ${why}`);
    const checkKey = (key: string): string => {
      if (!KEY.test(key))
        throw fail(
          `<nil>: Invalid value: ${JSON.stringify(key)}: name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
        );
      return key;
    };
    const checkValue = (value: string): string => {
      if (!VALUE.test(value))
        throw fail(
          `<nil>: Invalid value: ${JSON.stringify(value)}: a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
        );
      return value;
    };
    const set = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(term);
    if (set) {
      const values = set[3]!.split(',').map((value) => checkValue(value.trim()));
      return { key: checkKey(set[1]!), operator: set[2] as 'in' | 'notin', values };
    }
    const equality = /^([^=!<>\s]+)\s*(==|=|!=|>|<)\s*([^=!<>\s]*)$/.exec(term);
    if (equality) {
      const key = checkKey(equality[1]!);
      const value = equality[3]!;
      if (equality[2] === '>' || equality[2] === '<') {
        if (!/^-?\d+$/.test(value)) throw fail(`for 'Gt', 'Lt' operators, the value must be an integer, not ${value}`);
        return { key, operator: equality[2] === '>' ? 'gt' : 'lt', value: Number(value) };
      }
      return { key, operator: equality[2] === '!=' ? 'notin' : 'in', values: [checkValue(value)] };
    }
    if (term.startsWith('!')) return { key: checkKey(term.slice(1).trim()), operator: 'missing' };
    if (/[\s=!<>()]/.test(term) || term === '')
      throw fail(`found '${term}', expected: !, identifier, or 'end of string'`);
    return { key: checkKey(term), operator: 'exists' };
  });
}

/** True when the labels satisfy every requirement. As in Kubernetes, `!=` and `notin` also hold where the key is absent. */
export function matchesLabels(requirements: readonly LabelRequirement[], labels?: Record<string, string>): boolean {
  return requirements.every((requirement) => holds(requirement, labels?.[requirement.key]));
}

function holds(requirement: LabelRequirement, value: string | undefined): boolean {
  switch (requirement.operator) {
    case 'in':
      return value !== undefined && requirement.values.includes(value);
    case 'notin':
      return value === undefined || !requirement.values.includes(value);
    case 'exists':
      return value !== undefined;
    case 'missing':
      return value === undefined;
    case 'gt':
      return value !== undefined && /^-?\d+$/.test(value) && Number(value) > requirement.value;
    case 'lt':
      return value !== undefined && /^-?\d+$/.test(value) && Number(value) < requirement.value;
  }
}

/**
 * Parses `metadata.name=web,status.phase!=Running`; `\,`, `\=` and `\\` stand for themselves.
 * @param supported the fields that this resource can be selected by, besides metadata.name and metadata.namespace.
 * @throws ApiError 400 for wrong syntax and for a field that is not supported.
 */
export function parseFieldSelector(text: string, supported: readonly string[] = []): FieldRequirement[] {
  if (text === '') return [];
  return text.split(/(?<!\\),/).map((term) => {
    const match = /^((?:[^=!\\]|\\.)+)(==|!=|=)((?:[^=\\]|\\.)*)$/.exec(term);
    if (!match) throw badRequest(`invalid field selector "${text}": can't understand '${term}'`);
    const path = match[1]!;
    if (path !== 'metadata.name' && path !== 'metadata.namespace' && !supported.includes(path)) {
      throw badRequest(`field label not supported: ${path}`);
    }
    return { path, equal: match[2] !== '!=', value: match[3]!.replace(/\\(.)/g, '$1') };
  });
}

/** The value of a dotted path as selectors compare it: absent is the empty text, numbers and booleans are printed. */
export function fieldValue(object: KubeObject, path: string): string {
  let value: unknown = object;
  for (const part of path.split('.')) {
    if (typeof value !== 'object' || value === null) return '';
    value = (value as Record<string, unknown>)[part];
  }
  if (value === undefined || value === null)
    return path === 'spec.unschedulable' || path === 'spec.hostNetwork' ? 'false' : '';
  return typeof value === 'object' ? '' : String(value);
}

export function matchesFields(requirements: readonly FieldRequirement[], object: KubeObject): boolean {
  return requirements.every(({ path, equal, value }) => (fieldValue(object, path) === value) === equal);
}

/** Which objects of a collection a list or watch is about. */
export interface Selection {
  /** Undefined: every namespace. */
  namespace?: string;
  labels: readonly LabelRequirement[];
  fields: readonly FieldRequirement[];
}

export function selects(selection: Selection, object: KubeObject): boolean {
  return (
    (selection.namespace === undefined || object.metadata.namespace === selection.namespace) &&
    matchesFields(selection.fields, object) &&
    matchesLabels(selection.labels, object.metadata.labels)
  );
}
