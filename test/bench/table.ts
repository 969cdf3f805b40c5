/** Rows as a table for people. */
import { styleText } from 'node:util';
import type { Row } from './row.js';

type Cell = { readonly text: string; readonly style?: 'green' | 'red' | 'dim' };

const HEADINGS = ['', 'value', 'unit', 'reference', 'ratio', 'limit', ''];
/** Columns of numbers are aligned at their right edge. */
const RIGHT = new Set([1, 4, 5]);

/** Four significant digits, without an exponent: 0.01234, 12.34, 123400. */
export function formatNumber(value: number): string {
  const rounded = Number(value.toPrecision(4));
  const decimals = rounded === 0 ? 0 : Math.max(0, 3 - Math.floor(Math.log10(Math.abs(rounded))));
  return rounded
    .toFixed(Math.min(decimals, 100))
    .replace(/(\.\d*?)0+$/, '$1')
    .replace(/\.$/, '');
}

/** @param colors whether to colour the marks; the columns are aligned either way */
export function formatTable(rows: readonly Row[], colors = false): string {
  const table = [HEADINGS.map((text): Cell => ({ text, style: 'dim' })), ...rows.map(cells)];
  const columns = [...HEADINGS.keys()].filter((column) => table.slice(1).some((line) => line[column]!.text !== ''));
  const lines = table.map((line) => columns.map((column) => line[column]!));
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => line[index]!.text.length)));
  const format = (line: readonly Cell[]) =>
    line.map(({ text, style }, index) => {
      const width = widths[index]!;
      const padded = RIGHT.has(columns[index]!) ? text.padStart(width) : text.padEnd(width);
      return colors && style ? styleText(style, padded) : padded;
    });
  return lines.map((line) => format(line).join('  ').trimEnd()).join('\n');
}

function cells(row: Row): Cell[] {
  const { name, value, unit, reference, ratio, limit, better, ok } = row;
  const sign = better === 'higher' ? '≥' : '≤';
  return [
    { text: name },
    { text: formatNumber(value) },
    { text: unit },
    { text: reference ? `${formatNumber(reference.value)} ${unit} (${reference.name})` : '' },
    { text: ratio === undefined ? '' : `× ${formatNumber(ratio)}` },
    { text: limit === undefined ? '' : `${sign} ${formatNumber(limit)}` },
    ok === undefined ? { text: '' } : ok ? { text: '✔ ok', style: 'green' } : { text: '✘ missed', style: 'red' },
  ];
}
