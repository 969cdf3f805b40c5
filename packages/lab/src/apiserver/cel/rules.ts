/**
 * The CEL rules of a structural schema (x-kubernetes-validations): compiled and weighed when a CustomResourceDefinition is
 * written, evaluated when its objects are. Texts and order are those of k8s.io/apiextensions-apiserver
 * (pkg/apiserver/schema/cel and pkg/apis/apiextensions/validation).
 *
 * Not here: functions that Kubernetes adds to CEL (a definition that calls them is refused), and the budget at run time.
 */
import { isDeepStrictEqual } from 'node:util';
import { type ASTNode, Environment, Optional } from '@marcbachmann/cel-js';
import { type FieldError, field } from '../errors.js';
import type { Schema } from '../schema.js';
import { isObject } from '../types.js';
import { worstCost } from './cost.js';
import { celValue, declare, isMap, leastBytes, MAX_REQUEST, withTypeAndMetadata } from './declarations.js';

/** One entry of x-kubernetes-validations. */
export interface ValidationRule {
  rule: string;
  message?: string;
  messageExpression?: string;
  reason?: string;
  fieldPath?: string;
  optionalOldSelf?: boolean;
}

interface CompiledRule {
  source: ValidationRule;
  usesOldSelf: boolean;
  evaluate: (variables: object) => unknown;
  message: ((variables: object) => unknown) | undefined;
}

/** The rules of a schema and of what is below it. */
interface Node {
  schema: Schema;
  rules: CompiledRule[];
  properties: Map<string, Node>;
  items: Node | undefined;
  values: Node | undefined;
}

/** In units of cost. */
const RULE_LIMIT = 10_000_000;
const SCHEMA_LIMIT = 100_000_000;
/** RE2, in which Kubernetes matches, has none of these. */
const NOT_RE2 = /\(\?(=|!|<=|<!)|\\[1-9]/;

/** Where in the schema we are while it is compiled. */
interface Place {
  path: string;
  isRoot: boolean;
  /** How many times the place occurs in an object at most; undefined: there is no telling. */
  occurrences: number | undefined;
  /** The list or map that tells no old value from another. */
  uncorrelatable: string | undefined;
}

interface Compilation {
  errors: FieldError[];
  totalCost: number;
}

/** Values are dynamic at run time; their types were checked before. */
const runtime = new Environment({ enableOptionalTypes: true, unlistedVariablesAreDyn: true });

export class RuleSet {
  readonly #root: Node | undefined;
  /** What is wrong with the rules themselves, for whoever writes the definition. */
  readonly errors: readonly FieldError[];

  /** @param path of the schema in its definition */
  constructor(schema: Schema, path: string) {
    const compilation: Compilation = { errors: [], totalCost: 0 };
    this.#root = compile(schema, { path, isRoot: true, occurrences: 1, uncorrelatable: undefined }, compilation);
    if (compilation.totalCost > SCHEMA_LIMIT) {
      const what = 'x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema';
      compilation.errors.push(field.forbidden(path, tooExpensive(what, compilation.totalCost, SCHEMA_LIMIT)));
    }
    this.errors = compilation.errors;
  }

  /** Which rules the object breaks. What was so before (`previous`), and is not touched, is left alone. */
  validate(object: object, previous: object | undefined): FieldError[] {
    const errors: FieldError[] = [];
    if (this.#root) evaluate(this.#root, object, previous, false, '', errors);
    return errors;
  }
}

function compile(schema: Schema, place: Place, compilation: Compilation): Node | undefined {
  const { path, occurrences, uncorrelatable } = place;
  const below = (suffix: string, more: Partial<Place> = {}): Place => ({
    path: `${path}.${suffix}`,
    isRoot: false,
    occurrences,
    uncorrelatable,
    ...more,
  });
  const many = (bound: number | undefined): number | undefined =>
    bound === undefined || occurrences === undefined ? undefined : bound * occurrences;
  const node: Node = {
    schema: place.isRoot ? withTypeAndMetadata(schema) : schema,
    rules: compileRules(schema, place, compilation),
    properties: new Map(),
    items: undefined,
    values: undefined,
  };
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const isAtomic = schema['x-kubernetes-map-type'] === 'atomic';
    const at = below(`properties[${name}]`, isAtomic ? { uncorrelatable: path } : {});
    const child = compile(property, at, compilation);
    if (child) node.properties.set(name, child);
  }
  if (schema.items) {
    const isKeyed = schema['x-kubernetes-list-type'] === 'map';
    const at = { occurrences: many(schema.maxItems), ...(isKeyed ? {} : { uncorrelatable: path }) };
    node.items = compile(schema.items, below('items', at), compilation);
  }
  if (isMap(schema)) {
    const at = below('additionalProperties', { occurrences: many(schema.maxProperties) });
    node.values = compile(schema.additionalProperties, at, compilation);
  }
  const isEmpty = node.rules.length === 0 && node.properties.size === 0 && !node.items && !node.values;
  return isEmpty ? undefined : node;
}

function compileRules(schema: Schema, place: Place, compilation: Compilation): CompiledRule[] {
  const rules = schema['x-kubernetes-validations'] ?? [];
  if (rules.length === 0) return [];
  const self = place.isRoot ? withTypeAndMetadata(schema) : schema;
  const env = new Environment({ enableOptionalTypes: true });
  const type = declare(env, self, 'Self');
  env.registerVariable('self', type);
  const withOld = env.clone().registerVariable('oldSelf', type);
  const withOptionalOld = env.clone().registerVariable('oldSelf', 'dyn');
  return rules.flatMap((source, index) => {
    const at = `${place.path}.x-kubernetes-validations[${index}]`;
    const types = source.optionalOldSelf ? withOptionalOld : withOld;
    const rule = compiled(source.rule, 'bool', types, self, (text) =>
      compilation.errors.push(field.invalid(`${at}.rule`, source, text)),
    );
    const { messageExpression } = source;
    const message =
      messageExpression === undefined
        ? undefined
        : compiled(messageExpression, 'string', types, self, (text) =>
            compilation.errors.push(field.invalid(`${at}.messageExpression`, source, text)),
          );
    if (!rule) return [];
    const usesOldSelf = mentions(rule.ast, 'oldSelf');
    if (usesOldSelf && place.uncorrelatable !== undefined) {
      const text = `oldSelf cannot be used on the uncorrelatable portion of the schema within ${place.uncorrelatable}`;
      compilation.errors.push(field.invalid(`${at}.rule`, source.rule, text));
    }
    const cost = rule.cost * (place.occurrences ?? Math.floor(MAX_REQUEST / (leastBytes(schema) + 1)));
    compilation.totalCost += cost;
    if (cost > RULE_LIMIT) {
      compilation.errors.push(field.forbidden(`${at}.rule`, tooExpensive('estimated rule cost', cost, RULE_LIMIT)));
    }
    return [{ source, usesOldSelf, evaluate: rule.run, message: message?.run }];
  });
}

interface Compiled {
  ast: ASTNode;
  cost: number;
  run: (variables: object) => unknown;
}

function compiled(
  text: string,
  type: string,
  env: Environment,
  self: Schema,
  fail: (text: string) => void,
): Compiled | undefined {
  if (!text?.trim()) {
    fail('rule is not specified');
    return undefined;
  }
  const result = env.check(text);
  if (!result.valid) {
    fail(`compilation failed: ${result.error!.message}`);
    return undefined;
  }
  if (result.type !== type) {
    fail(`cel expression must evaluate to a ${type}`);
    return undefined;
  }
  const run = runtime.parse(text);
  const pattern = patternsOf(run.ast).find((each) => NOT_RE2.test(each) || !isPattern(each));
  if (pattern !== undefined) {
    fail(`compilation failed: error parsing regexp: ${pattern}`);
    return undefined;
  }
  try {
    return { ast: run.ast, cost: worstCost(run.ast, self), run };
  } catch (error) {
    fail(`compilation failed: ${(error as Error).message}`);
    return undefined;
  }
}

function tooExpensive(what: string, cost: number, limit: number): string {
  const factor = cost / limit;
  const times = factor > 100 ? 'more than 100x' : `${factor < 1.5 ? factor.toFixed(6) : factor.toFixed(1)}x`;
  return (
    `${what} exceeds budget by factor of ${times} ` +
    '(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)'
  );
}

function* partsOf(node: unknown): Generator<ASTNode> {
  if (Array.isArray(node)) {
    for (const each of node) yield* partsOf(each);
  } else if (typeof node === 'object' && node !== null && 'op' in node) {
    yield node as ASTNode;
    yield* partsOf((node as ASTNode).args);
  }
}

function mentions(rule: ASTNode, variable: string): boolean {
  return [...partsOf(rule)].some((node) => node.op === 'id' && node.args === variable);
}

function patternsOf(rule: ASTNode): string[] {
  return [...partsOf(rule)].flatMap((node) => {
    if (node.op !== 'rcall' || node.args[0] !== 'matches') return [];
    const [pattern] = node.args[2];
    return pattern?.op === 'value' && typeof pattern.args === 'string' ? [pattern.args] : [];
  });
}

function isPattern(text: string): boolean {
  try {
    new RegExp(text, 'u');
    return true;
  } catch {
    return false;
  }
}

/**
 * @param old the value at this place before; undefined: there was none, or there is no telling which it was
 * @param untouched whether the nearest place of which there is an old value has not changed
 */
function evaluate(
  node: Node,
  value: unknown,
  old: unknown,
  untouched: boolean,
  path: string,
  errors: FieldError[],
): void {
  if (value === null || value === undefined) return;
  const isSame = old === undefined ? untouched : isDeepStrictEqual(value, old);
  if (node.rules.length > 0) evaluateRules(node, value, old, isSame, path, errors);
  if (Array.isArray(value)) {
    if (!node.items) return;
    const before = oldItems(node.schema, old);
    for (const [i, item] of value.entries()) evaluate(node.items, item, before(item), isSame, `${path}[${i}]`, errors);
  } else if (isObject(value)) {
    const isAtomic = node.schema['x-kubernetes-map-type'] === 'atomic';
    const before = !isAtomic && isObject(old) ? old : {};
    for (const [name, item] of Object.entries(value)) {
      const below = node.properties.get(name);
      if (below) evaluate(below, item, before[name], isSame, path === '' ? name : `${path}.${name}`, errors);
      else if (node.values) evaluate(node.values, item, before[name], isSame, `${path}[${name}]`, errors);
    }
  }
}

function evaluateRules(
  { schema, rules }: Node,
  value: unknown,
  old: unknown,
  isSame: boolean,
  path: string,
  errors: FieldError[],
): void {
  const self = celValue(value, schema);
  const oldSelf = old === undefined ? undefined : celValue(old, schema);
  const here = path === '' ? '<nil>' : path;
  for (const { source, usesOldSelf, evaluate: run, message } of rules) {
    const { rule, optionalOldSelf = false, reason, fieldPath = '' } = source;
    if (usesOldSelf && oldSelf === undefined && !optionalOldSelf) continue;
    const optional = oldSelf === undefined ? Optional.none() : Optional.of(oldSelf);
    const variables = { self, oldSelf: optionalOldSelf ? optional : oldSelf };
    const told = source.message?.trim();
    let detail: string;
    try {
      if (run(variables) === true) continue;
      detail = (message && tell(message, variables)) ?? told ?? `failed rule: ${rule.trim()}`;
    } catch (error) {
      const [why] = (error as Error).message.split('\n');
      errors.push(field.invalid(here, schema.type, `${why} evaluating rule: ${told ?? rule.trim()}`));
      continue;
    }
    // Nobody has to mend what was there before the rule; real servers warn.
    if (isSame && !usesOldSelf) continue;
    const at = fieldPath === '' ? here : path === '' ? fieldPath.slice(1) : `${path}${fieldPath}`;
    errors.push(failure(at, schema.type, detail, reason));
  }
}

function tell(message: (variables: object) => unknown, variables: object): string | undefined {
  try {
    const text = String(message(variables)).trim();
    return text === '' || text.includes('\n') ? undefined : text;
  } catch {
    return undefined; // then the fixed message has to do
  }
}

function failure(path: string, type: string | undefined, detail: string, reason: string | undefined): FieldError {
  if (reason === 'FieldValueForbidden') return field.forbidden(path, detail);
  if (reason === 'FieldValueRequired') return field.required(path, detail);
  if (reason === 'FieldValueDuplicate') return field.duplicate(path, type);
  return field.invalid(path, type, detail);
}

/** Finds the old one of an item, where a list's items have keys. */
function oldItems(schema: Schema, old: unknown): (item: unknown) => unknown {
  if (schema['x-kubernetes-list-type'] !== 'map' || !Array.isArray(old)) return () => undefined;
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const keyOf = (item: unknown): string => JSON.stringify(isObject(item) ? keys.map((key) => item[key]) : item);
  const byKey = new Map(old.map((item) => [keyOf(item), item]));
  return (item) => byKey.get(keyOf(item));
}
