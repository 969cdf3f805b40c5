import { expect } from 'chai';
import fc from 'fast-check';
import { LineSplitter } from './lines.js';

const texts = (lines: Buffer[]) => lines.map((line) => line.toString('utf8'));

describe('LineSplitter', () => {
  it('finds the same lines whatever the chunks are', () => {
    fc.assert(
      fc.property(
        // Characters of one to four bytes, which chunks may cut.
        fc.array(fc.array(fc.constantFrom('{', ' ', 'ü', '€', '😀')).map((characters) => characters.join(''))),
        fc.array(fc.nat(20), { maxLength: 20 }),
        (lines, sizes) => {
          const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
          const splitter = new LineSplitter();
          const found: string[] = [];
          let at = 0;
          for (const size of sizes) {
            found.push(...texts(splitter.push(bytes.subarray(at, at + size))));
            at += size;
          }
          found.push(...texts(splitter.push(bytes.subarray(at))));
          expect(found).to.deep.equal(lines.filter((line) => line.trim() !== ''));
          expect(splitter.pending).to.equal(false);
        },
      ),
    );
  });

  it('tells that a line is not complete', () => {
    const splitter = new LineSplitter();
    expect(texts(splitter.push(Buffer.from('a\nb')))).to.deep.equal(['a']);
    expect(splitter.pending).to.equal(true);
    expect(texts(splitter.push(Buffer.from('\n')))).to.deep.equal(['b']);
    expect(splitter.pending).to.equal(false);
  });
});
