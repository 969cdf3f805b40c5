import { expect } from 'chai';
import { cpio } from './cpio.mjs';

/** Reads an archive as the kernel does. @param {Buffer} archive */
function read(archive) {
  const entries = [];
  for (let offset = 0; ; ) {
    expect(offset % 4, 'alignment of a header').to.equal(0);
    const field = (/** @type {number} */ index) =>
      Number.parseInt(archive.toString('latin1', offset + 6 + 8 * index, offset + 14 + 8 * index), 16);
    expect(archive.toString('latin1', offset, offset + 6)).to.equal('070701');
    const [mode, size, nameSize] = [field(1), field(6), field(11)];
    const name = archive.toString('utf8', offset + 110, offset + 110 + nameSize - 1);
    const start = Math.ceil((offset + 110 + nameSize) / 4) * 4;
    if (name === 'TRAILER!!!') return entries;
    entries.push({ name, mode: mode.toString(8), data: archive.toString('utf8', start, start + size) });
    offset = Math.ceil((start + size) / 4) * 4;
  }
}

describe('an initramfs', () => {
  it('has folders, files of any length and links, each where the kernel looks for it', () => {
    const files = ['', 'a', 'ab', 'abc', 'abcd', 'äöü'].map((data, index) => ({
      path: `bin/${'f'.repeat(index + 1)}`,
      data,
    }));
    const archive = cpio([
      { path: 'bin', folder: true },
      ...files,
      { path: 'init', mode: 0o755, data: 'x' },
      { path: 'sh', link: 'init' },
    ]);
    expect(read(archive)).to.deep.equal([
      { name: 'bin', mode: '40755', data: '' },
      ...files.map(({ path, data }) => ({ name: path, mode: '100644', data })),
      { name: 'init', mode: '100755', data: 'x' },
      { name: 'sh', mode: '120777', data: 'init' },
    ]);
  });
});
