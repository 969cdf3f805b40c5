/** metav1.LabelSelector: checked once, then asked often. All requirements must hold; without any, everything matches. */

export interface LabelSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: LabelSelectorRequirement[];
}

export interface LabelSelectorRequirement {
  key: string;
  operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  /** Not empty for In and NotIn, absent or empty for the others. */
  values?: string[];
}

export type Labels = Readonly<Record<string, string>>;

const OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist'];
/** https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set */
const NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const PREFIX = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** Whether the labels satisfy the selector. As in Kubernetes, NotIn also holds for objects without the label. */
export function matchesSelector(selector: LabelSelector, labels: Labels | undefined): boolean {
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) {
    if (labels?.[key] !== value) return false;
  }
  return (selector.matchExpressions ?? []).every((requirement) => holds(requirement, labels?.[requirement.key]));
}

function holds({ operator, values = [] }: LabelSelectorRequirement, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
  }
}

/** What is wrong with a selector, beginning with where (`path` and on); undefined when nothing is. */
export function selectorFault(selector: unknown, path: string): string | undefined {
  if (!isRecord(selector)) return `${path} is ${show(selector)}; write an object with matchLabels or matchExpressions`;
  const { matchLabels = {}, matchExpressions = [], ...rest } = selector;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) {
    return `${path}.${unknown} means nothing; labels go into ${path}.matchLabels, as in matchLabels: {${unknown}: ...}`;
  }
  if (!isRecord(matchLabels)) return `${path}.matchLabels is ${show(matchLabels)}; write an object of labels`;
  for (const [key, value] of Object.entries(matchLabels)) {
    const fault = keyFault(key) ?? valueFault(value);
    if (fault) return `${path}.matchLabels: ${fault}`;
  }
  if (!Array.isArray(matchExpressions)) return `${path}.matchExpressions is ${show(matchExpressions)}; write a list`;
  for (const [index, requirement] of matchExpressions.entries()) {
    const fault = requirementFault(requirement);
    if (fault) return `${path}.matchExpressions[${index}]: ${fault}`;
  }
  return undefined;
}

function requirementFault(requirement: unknown): string | undefined {
  if (!isRecord(requirement)) return `it is ${show(requirement)}; write an object with key, operator and values`;
  const { key, operator, values = [] } = requirement;
  if (!OPERATORS.includes(String(operator)))
    return `operator is ${show(operator)}; it has to be one of ${OPERATORS.join(', ')}`;
  if (!Array.isArray(values)) return `values is ${show(values)}; write a list`;
  const wantsValues = operator === 'In' || operator === 'NotIn';
  if (wantsValues && values.length === 0) return `values is empty, so ${String(operator)} says nothing; list some`;
  if (!wantsValues && values.length > 0) return `values has no meaning for ${String(operator)}; take it out`;
  return keyFault(key) ?? values.map(valueFault).find((fault) => fault !== undefined);
}

function keyFault(key: unknown): string | undefined {
  const [name, prefix, ...more] = typeof key === 'string' ? key.split('/').reverse() : [];
  const fine = name !== undefined && NAME.test(name) && (prefix === undefined || PREFIX.test(prefix)) && !more.length;
  return fine ? undefined : `${show(key)} is not the key of a label, such as app or example.org/app`;
}

function valueFault(value: unknown): string | undefined {
  const fine = typeof value === 'string' && (value === '' || NAME.test(value));
  return fine ? undefined : `${show(value)} is not the value of a label: at most 63 letters, digits, "-", "_" and "."`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? String(value);
}
