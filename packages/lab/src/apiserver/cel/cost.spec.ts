/** The figures of Kubernetes' own test of its estimates (apiextensions-apiserver, schema/cel/compilation_test.go). */
import { Environment } from '@marcbachmann/cel-js';
import { expect } from 'chai';
import type { Schema } from '../schema.js';
import { worstCost } from './cost.js';

type Bounded = (most?: number) => Schema;

const bound = (name: string, most?: number): object => (most === undefined ? {} : { [name]: most });
const plain =
  (type: NonNullable<Schema['type']>, format?: string): Bounded =>
  () => ({ type, ...(format && { format }) });
const text: Bounded = (most) => ({ type: 'string', ...bound('maxLength', most) });
const list =
  (items: Bounded): Bounded =>
  (most) => ({ type: 'array', items: items(most), ...bound('maxItems', most) });
const map =
  (values: Bounded): Bounded =>
  (most) => ({ type: 'object', additionalProperties: values(most), ...bound('maxProperties', most) });
const object =
  (properties: Record<string, Bounded>, required: string[] = []): Bounded =>
  (most) => ({
    type: 'object',
    required,
    properties: Object.fromEntries(Object.entries(properties).map(([name, property]) => [name, property(most)])),
  });
const either: Bounded = () => ({ 'x-kubernetes-int-or-string': true });
const number = plain('number');
const boolean = plain('boolean');
const moment = plain('string', 'date-time');

/** schema, rule, cost without bounds (undefined: beyond all limits), bound, cost with it. */
const cases: [string, Bounded, string, number | undefined, number, number][] = [
  ['a list of numbers', list(number), 'self.all(x, true)', 4_718_591, 10, 32],
  ['a list of texts', list(text), 'self.all(x, true)', 3_145_727, 20, 62],
  ['a list of booleans', list(boolean), 'self.all(x, true)', 1_887_437, 5, 17],
  ['a list of lists', list(list(number)), 'self.all(x, true)', 3_145_727, 100, 302],
  ['a list of days', list(plain('string', 'date')), 'self.all(x, true)', 725_936, 15, 47],
  ['a list of times', list(moment), 'self.all(x, true)', 428_963, 25, 77],
  ['a list of numbers or texts', list(either), 'self.all(x, true)', 4_718_591, 10, 32],
  ['a map of numbers', map(number), 'self.all(x, true)', 1_348_169, 10, 32],
  ['a map of texts', map(text), 'self.all(x, true)', 1_179_647, 3, 11],
  ['a map of booleans', map(boolean), 'self.all(x, true)', 943_718, 100, 302],
  ['a map of times', map(moment), 'self.all(x, true)', 349_526, 25, 77],
  ['presence', map(number), 'has(self.x)', 0, 100, 0],
  ['contains', text, "self.contains('test')", 314_574, 10, 5],
  ['startsWith', text, "self.startsWith('test')", 2, 15, 2],
  ['endsWith', text, "self.endsWith('test')", 2, 30, 2],
  ['text joined', text, 'size(self + "hello") > size("hello")', 314_578, 4, 7],
  ['an item of numbers', list(number), 'self[1] == 0.0', 2, 5_000, 2],
  ['an item of texts', list(plain('string')), 'self[1] == self[1]', 314_577, 8, 314_577],
  ['an item of booleans', list(boolean), 'self[0] == false', 2, 25, 2],
  ['an item of an item', list(list(number)), 'self[0][0] == -1.0', 3, 51, 3],
  ['a number of an item', list(map(number)), 'self[0].x > 2.0', 4, 3_000, 4],
  ['numbers of items', list(map(number)), 'self.all(x, x.y == 25.2)', 6_291_452, 12, 74],
  ['number or text', list(either), 'self[0] == 5', 3, 10, 3],
  ['a loop in a loop', list(number), 'self.all(x, self.all(y, true))', undefined, 10, 352],
  ['a loop in that', list(number), 'self.all(x, self.all(y, self.all(z, true)))', undefined, 10, 3_552],
  ['a comparison of each', list(number), 'self.all(x, x == 0.0)', 6_291_454, 6_291_456, 25_165_826],
  ['matches', text, 'self.matches("x")', 314_574, 50, 22],
  ['matches of nothing', text, '"".matches("(((((((((())))))))))[0-9]")', 7, 10, 7],
  ['matches with nothing', text, 'self.matches("")', 1, 100, 1],
  ['keys and values', map(text), 'self.all(x, x.contains(self[x]))', 2_752_507, 10, 72],
  ['a text without room', text, 'self == "x"', 2, 0, 1],
  [
    'what is inside of a map in a list',
    list(map(object({ required: text, optional: text }, ['required']))),
    'self.all(x, x["y"].required == "z")',
    7_340_027,
    10,
    72,
  ],
  ['join', list(text), "self.join(' ') == 'aa bb'", undefined, 10, 43],
  ['split', object({ str: text, separator: text }), 'self.str.split(self.separator) == []', 629_160, 10, 22],
  ['lowerAscii', text, "self.lowerAscii() == 'lower!'", 314_575, 10, 6],
  ['size', map(plain('integer')), 'oldSelf.size() == self.size()', 5, 10, 5],
  ['times', map(moment), 'self["a"] == self["b"]', 8, 7, 8],
  [
    'words',
    (most) => ({ type: 'string', enum: ['A', 'B', 'C', 'LongValue'], ...bound('maxLength', most) }),
    "self.contains('A')",
    2,
    1_000,
    401,
  ],
];

describe('the worst cost of a CEL rule is what Kubernetes says', () => {
  const env = new Environment({ unlistedVariablesAreDyn: true });
  for (const [name, schema, rule, free, most, bounded] of cases) {
    it(`of ${name}: ${rule}`, () => {
      const { ast } = env.parse(rule);
      const cost = worstCost(ast, schema());
      if (free === undefined) expect(cost).to.be.greaterThan(10_000_000);
      else expect(cost, 'without a bound').to.equal(free);
      expect(worstCost(ast, schema(most)), `with ${most} at most`).to.equal(bounded);
    });
  }
});
