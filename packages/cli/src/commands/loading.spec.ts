/** What a daemon loads is what every start of it pays for, and what can keep it from starting. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

/** Everything that is loaded along with a module: what it imports, and what that imports. Packages by name, files by path. */
function loadedWith(module: string, loaded = new Set<string>()): Set<string> {
  if (loaded.has(module)) return loaded;
  loaded.add(module);
  if (!module.startsWith('file:')) return loaded;
  const text = readFileSync(fileURLToPath(module), 'utf8');
  for (const [, from, bare] of text.matchAll(/^(?:import|export)[^;]*? from '([^']+)';|^import '([^']+)';/gm)) {
    const name = (from ?? bare)!;
    const ours = name.startsWith('.') || name.startsWith('@fairlead/');
    loadedWith(ours ? import.meta.resolve(name.startsWith('.') ? new URL(name, module).href : name) : name, loaded);
  }
  return loaded;
}

describe('the controller command', () => {
  const loaded = [...loadedWith(new URL('./controller.js', import.meta.url).href)];

  it('loads what it runs', () => {
    expect(loaded).to.include.members(['commander', 'pino']);
    expect(loaded.filter((each) => each.includes('/controller/dist/'))).to.have.length.above(20);
  });

  it('loads nothing of the data path, no native code, and no more of large packages than it uses', () => {
    expect(loaded.filter((each) => /\/(ipvs|netlink|raw-socket|speaker|lab)\/dist\//.test(each))).to.deep.equal([]);
    expect(loaded).not.to.include.members(['prom-client']);
    expect(loaded).not.to.include.members(['undici']);
    expect(loaded).not.to.include.members(['@kubernetes/client-node']);
  });
});
