import { stripVTControlCharacters } from 'node:util';
import { expect } from 'chai';
import { judge } from './row.js';
import { formatNumber, formatTable } from './table.js';

describe('the table of a benchmark', () => {
  const rows = [
    judge({ name: 'outage p50', value: 1834.26, unit: 'ms', limit: 4000 }),
    judge({
      name: 'rate',
      value: 75,
      unit: 'connections/s',
      reference: { name: 'direct', value: 100 },
      limit: 0.9,
      better: 'higher',
    }),
    judge({ name: 'drops', value: 0, unit: 'packets' }),
  ];

  it('shows values, references, ratios, limits and marks in aligned columns', () => {
    expect(formatTable(rows).split('\n')).to.deep.equal([
      '            value  unit           reference                    ratio   limit',
      'outage p50   1834  ms                                                 ≤ 4000  ✔ ok',
      'rate           75  connections/s  100 connections/s (direct)  × 0.75   ≥ 0.9  ✘ missed',
      'drops           0  packets',
    ]);
  });

  it('leaves out columns that no row has', () => {
    expect(formatTable([rows[2]!])).to.equal('       value  unit\ndrops      0  packets');
  });

  it('is the same text when coloured', () => {
    const trimmed = stripVTControlCharacters(formatTable(rows, true)).replaceAll(/ +$/gm, '');
    expect(trimmed).to.equal(formatTable(rows));
  });

  for (const [value, text] of [
    [0, '0'],
    [0.012345, '0.01235'],
    [12.3456, '12.35'],
    [100, '100'],
    [99.999, '100'],
    [1234567, '1235000'],
    [-2.5, '-2.5'],
    [1e-7, '0.0000001'],
  ] as const) {
    it(`shows ${value} as ${text}`, () => {
      expect(formatNumber(value)).to.equal(text);
    });
  }
});
