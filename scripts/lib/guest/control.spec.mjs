import { expect } from 'chai';
import { keptFolders } from './control.mjs';

describe('folders that stay visible in the guest', () => {
  for (const [folders, kept] of /** @type {[string[], string[]][]} */ ([
    [['/home/me/tree', '/usr'], []],
    [['/tmp/tree', '/tmp/tree', '/usr'], ['/tmp/tree']],
    [
      ['/tmp/tree', '/tmp/tree/packages', '/tmp/tree-2'],
      ['/tmp/tree', '/tmp/tree-2'],
    ],
    [
      ['/run/a', '/tmp/b', '/tmpfs/c', '/runner'],
      ['/run/a', '/tmp/b'],
    ],
  ])) {
    it(`are ${kept.join(' and ') || 'none'} of ${folders.join(', ')}`, () => {
      expect(keptFolders(folders)).to.deep.equal(kept);
    });
  }
});
