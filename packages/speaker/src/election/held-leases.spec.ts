import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { HeldLeases } from './held-leases.js';

describe('the memory of held Leases', () => {
  let folder: string;
  let errors: string[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'fairlead-held-'));
    errors = [];
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const open = (path: string | undefined = join(folder, 'n1')) =>
    new HeldLeases(path, (error) => errors.push(error.message));

  it('outlives the process, whenever that ends', () => {
    const held = open();
    held.note('public.0', true);
    held.note('public.1', true);
    expect(['public.0', 'public.1', 'public.2'].map((name) => open().has(name))).to.deep.equal([true, true, false]);
    held.note('public.0', false);
    expect(open().has('public.0')).to.equal(false);
    expect(errors).to.deep.equal([]);
  });

  it('is none where the file is damaged or of another version, which it says', () => {
    for (const text of ['{"version":1,"held":["publ', '{"version":2,"held":[]}']) {
      writeFileSync(join(folder, 'held-leases.json'), text);
      expect(open(folder).has('public.0')).to.equal(false);
      expect(errors.splice(0).join()).to.include('is not used');
    }
  });

  it('costs nothing but itself where the disk cannot be written to, or there is none', () => {
    writeFileSync(join(folder, 'file'), '');
    const held = open(join(folder, 'file', 'n1'));
    held.note('public.0', true);
    expect(held.has('public.0')).to.equal(true);
    expect(errors.join()).to.include('could not note');
    const nowhere = new HeldLeases(undefined, (error) => errors.push(error.message));
    nowhere.note('public.0', true);
    expect(nowhere.has('public.0')).to.equal(true);
  });
});
