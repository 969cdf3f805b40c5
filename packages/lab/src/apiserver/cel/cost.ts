/**
 * What a CEL rule costs at the worst, as API servers estimate it before they take a CustomResourceDefinition
 * (github.com/google/cel-go/checker/cost.go and k8s.io/apiserver/pkg/cel/library/cost.go). A unit is about 50 ns.
 */
import type { ASTNode } from '@marcbachmann/cel-js';
import type { Schema } from '../schema.js';
import { fieldsOf, isMap, largestSize } from './declarations.js';

const TRAVERSAL = 0.1;
const REGEX_LENGTH = 0.25;
const NEW_LIST = 10;
const NEW_MAP = 30;

/** What is known of a part of a rule. */
interface Part {
  cost: number;
  /** Characters, items or entries at most. */
  size: number;
  /** Where it is a part of the object. */
  schema?: Schema | undefined;
}

type Scope = ReadonlyMap<string, Part>;

/** Macros over lists and maps: cost of one round besides the predicate's, and of the result. */
const MACROS: Record<string, { round: number; end: number; makesList?: boolean }> = {
  all: { round: 3, end: 1 },
  exists: { round: 4, end: 1 },
  exists_one: { round: 2, end: 2 },
  filter: { round: 13, end: 1 + NEW_LIST, makesList: true },
  map: { round: 12, end: 1 + NEW_LIST, makesList: true },
};

const times = (a: number, b: number): number => (a === 0 || b === 0 ? 0 : a * b);
const walked = (size: number, factor = TRAVERSAL): number => Math.ceil(size * factor);

/**
 * @param self schema of what the rule stands at
 * @throws Error when the rule names a property that the schema does not have
 */
export function worstCost(rule: ASTNode, self: Schema): number {
  const start: Part = { cost: 1, size: largestSize(self), schema: self };
  return partOf(
    rule,
    new Map([
      ['self', start],
      ['oldSelf', start],
    ]),
  ).cost;
}

function partOf(node: ASTNode, scope: Scope): Part {
  const part = (each: ASTNode): Part => partOf(each, scope);
  const sum = (nodes: readonly ASTNode[]): number => nodes.reduce((cost, each) => cost + part(each).cost, 0);
  switch (node.op) {
    case 'value':
      return typeof node.args === 'string'
        ? { cost: 0, size: [...node.args].length, schema: { type: 'string' } }
        : { cost: 0, size: 1 };
    case 'id':
      return scope.get(node.args) ?? { cost: 1, size: Number.POSITIVE_INFINITY };
    case '.':
    case '.?':
      return selected(part(node.args[0]), node.args[1]);
    case '[]':
    case '[?]': {
      const [from, index] = node.args.map(part) as [Part, Part];
      return inside(from.schema, from.cost + index.cost + 1);
    }
    case 'call':
      return called(node.args[0], undefined, node.args[1], scope);
    case 'rcall':
      return called(node.args[0], node.args[1], node.args[2], scope);
    case 'list':
      return { cost: sum(node.args) + NEW_LIST, size: node.args.length };
    case 'map':
      return { cost: sum(node.args.flat()) + NEW_MAP, size: node.args.length };
    case '?:': {
      const [condition, yes, no] = node.args.map(part) as [Part, Part, Part];
      return { cost: condition.cost + Math.max(yes.cost, no.cost), size: Math.max(yes.size, no.size) };
    }
    case '||':
    case '&&':
      return { cost: sum(node.args), size: 1 };
    case '-_':
      if (node.args.op === 'value') return part(node.args);
      return { cost: part(node.args).cost + 1, size: 1 };
    case '!_':
      return { cost: part(node.args).cost + 1, size: 1 };
    case 'in': {
      const list = part(node.args[1]);
      return { cost: sum(node.args) + (list.schema && isMap(list.schema) ? 1 : list.size), size: 1 };
    }
    case '+': {
      const [left, right] = node.args.map(part) as [Part, Part];
      const size = left.size + right.size;
      const isList = [left, right].some(({ schema }) => schema?.type === 'array');
      return { cost: left.cost + right.cost + (isList ? 1 : walked(size)), size };
    }
    case '-':
    case '*':
    case '/':
    case '%':
      return { cost: sum(node.args) + 1, size: 1 };
    default: {
      const [left, right] = node.args.map(part) as [Part, Part];
      const isWalked = node.op === '==' || node.op === '!=' || isText(left) || isText(right);
      return { cost: left.cost + right.cost + (isWalked ? walked(Math.min(left.size, right.size)) : 1), size: 1 };
    }
  }
}

const isText = ({ schema }: Part): boolean => schema?.type === 'string';

function selected({ cost, schema }: Part, name: string): Part {
  if (!schema) return { cost: cost + 1, size: Number.POSITIVE_INFINITY };
  if (isMap(schema)) {
    const isScalar = ['boolean', 'integer', 'number'].includes(schema.additionalProperties.type ?? '');
    return { cost: cost + 1, size: isScalar ? 1 : Number.POSITIVE_INFINITY };
  }
  const property = fieldsOf(schema).get(name);
  if (!property && schema.type === 'object') throw new Error(`undefined field '${name}'`);
  return { cost: cost + 1, size: property ? largestSize(property) : Number.POSITIVE_INFINITY, schema: property };
}

/** An item of a list, or a value of a map. */
function inside(schema: Schema | undefined, cost: number): Part {
  const item = schema && isMap(schema) ? schema.additionalProperties : schema?.items;
  return { cost, size: item ? largestSize(item) : Number.POSITIVE_INFINITY, schema: item };
}

function called(name: string, target: ASTNode | undefined, args: readonly ASTNode[], scope: Scope): Part {
  const macro = MACROS[name];
  if (target && macro && args.length >= 2) return comprehension(macro, partOf(target, scope), args, scope);
  if (name === 'bind' && args.length === 3 && args[0]!.op === 'id') {
    const bound = partOf(args[1]!, scope);
    const result = partOf(args[2]!, new Map([...scope, [args[0]!.args, { ...bound, cost: 1 }]]));
    return { ...result, cost: result.cost + bound.cost + NEW_LIST };
  }
  const [first] = args;
  if (name === 'has' && first) {
    partOf(first, scope); // it has to name something; to look whether it is there costs nothing
    return { cost: 0, size: 1 };
  }
  const self = target && partOf(target, scope);
  const parts = args.map((each) => partOf(each, scope));
  const before = (self?.cost ?? 0) + parts.reduce((cost, each) => cost + each.cost, 0);
  const size = self?.size ?? parts[0]?.size ?? 1;
  const given = parts[0]?.size ?? 1;
  switch (name) {
    case 'startsWith':
    case 'endsWith':
      return { cost: before + walked(given), size: 1 };
    case 'contains':
      return { cost: before + times(walked(size), walked(given)), size: 1 };
    case 'matches':
      return { cost: before + times(walked(size + 1), walked(given, REGEX_LENGTH)), size: 1 };
    case 'lowerAscii':
    case 'upperAscii':
    case 'substring':
    case 'trim':
      return { cost: before + walked(size), size };
    case 'split':
      return { cost: before + walked(size, 2 * TRAVERSAL), size };
    case 'replace': {
      const longer = (size + 1) * Math.max(1, parts[1]?.size ?? 1);
      return { cost: before + walked(size, 2 * TRAVERSAL), size: longer };
    }
    case 'join': {
      const item = self?.schema?.items ? largestSize(self.schema.items) : Number.POSITIVE_INFINITY;
      const length = times(size, item) + times(Math.max(0, size - 1), parts[0]?.size ?? 0);
      return { cost: before + walked(length), size: length };
    }
    case 'indexOf':
    case 'lastIndexOf':
      return { cost: before + walked(size), size: 1 };
    default:
      return { cost: before + 1, size: 1 };
  }
}

function comprehension(
  { round, end, makesList }: (typeof MACROS)[string],
  range: Part,
  args: readonly ASTNode[],
  scope: Scope,
): Part {
  const [variable, ...bodies] = args;
  const item: Part =
    range.schema && isMap(range.schema) ? { cost: 1, size: 0, schema: { type: 'string' } } : inside(range.schema, 1);
  const name = variable!.op === 'id' ? variable!.args : '';
  const inner = new Map([...scope, [name, item]]);
  const body = bodies.reduce((cost, each) => cost + partOf(each, inner).cost, 0);
  const cost = range.cost + times(range.size, round + body) + end;
  return { cost, size: makesList ? range.size : 1 };
}
