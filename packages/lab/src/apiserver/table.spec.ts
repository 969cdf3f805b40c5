import { expect } from 'chai';
import { parseJsonPath, resolveJsonPath } from './custom-columns.js';
import { duration } from './table.js';

const S = 1000;
const M = 60 * S;
const H = 60 * M;
const D = 24 * H;

describe('ages in tables', () => {
  for (const [ms, expected] of [
    [0, '0s'],
    [119 * S, '119s'],
    [2 * M, '2m'],
    [9 * M + 59 * S, '9m59s'],
    [10 * M + 1 * S, '10m'],
    [179 * M, '179m'],
    [3 * H, '3h'],
    [7 * H + 59 * M, '7h59m'],
    [47 * H, '47h'],
    [2 * D, '2d'],
    [7 * D + 5 * H, '7d5h'],
    [9 * D, '9d'],
    [365 * D * 2, '2y'],
    [365 * D * 3 + 5 * D, '3y5d'],
    [365 * D * 9, '9y'],
    [-1 * S, '0s'],
    [-5 * S, '<invalid>'],
  ] as const) {
    it(`${ms} ms is ${expected}`, () => {
      expect(duration(ms)).to.equal(expected);
    });
  }
});

describe('JSON paths of printer columns', () => {
  const object = {
    spec: { list: ['a', 'b'], 'dotted.name': 1 },
    metadata: { annotations: { 'x/y': 'z' } },
    status: {
      conditions: [
        { type: 'Ready', status: 'True' },
        { type: 'Other', status: 'False' },
      ],
    },
  };

  for (const [path, expected] of [
    ['.spec.list', [['a', 'b']]],
    ['.spec.list[*]', ['a', 'b']],
    ['.spec.list[0]', ['a']],
    ['.spec.list[-1]', ['b']],
    ['.spec.list[5]', []],
    ['.spec.dotted\\.name', [1]],
    ["['spec']['dotted.name']", [1]],
    ["['metadata'].annotations['x/y']", ['z']],
    ['.status.conditions[?(@.type=="Ready")].status', ['True']],
    [".status.conditions[?(@.type=='Nothing')].status", []],
    ['.nothing.at.all', []],
  ] as const) {
    it(`${path} leads to ${JSON.stringify(expected)}`, () => {
      expect(resolveJsonPath(object, parseJsonPath(path)!)).to.deep.equal(expected);
    });
  }

  it('that are not understood are none', () => {
    expect(parseJsonPath('.spec[?(@.a>1)]')).to.equal(undefined);
    expect(parseJsonPath('spec')).to.equal(undefined);
  });
});
