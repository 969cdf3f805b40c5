/** Which kernel modules have to be loaded, and in which order, for some to work: modules.dep as depmod writes it. */
import { basename } from 'node:path';

/**
 * @param {string} text modules.dep: `path: dependency dependency ...`
 * @param {string} builtin modules.builtin: one path a line; what is built in needs no file
 * @param {readonly string[]} names as modprobe takes them
 * @returns {string[]} paths relative to the modules folder, dependencies first
 */
export function loadOrder(text, builtin, names) {
  /** @type {Map<string, { path: string, needs: string[] }>} */ const known = new Map();
  for (const line of text.split('\n')) {
    const [path, needs = ''] = line.split(':');
    if (path) known.set(moduleName(path), { path, needs: needs.split(' ').filter(Boolean) });
  }
  const builtIn = new Set(builtin.split('\n').filter(Boolean).map(moduleName));
  /** @type {Set<string>} */ const order = new Set();
  /** @param {string} name */
  const visit = (name) => {
    const module = known.get(name);
    if (!module) {
      if (builtIn.has(name)) return;
      throw new Error(`The kernel has no module ${name}`);
    }
    if (order.has(module.path)) return;
    for (const need of module.needs) visit(moduleName(need));
    order.add(module.path);
  };
  for (const name of names) visit(name);
  return [...order];
}

/** @param {string} path @returns {string} the name modprobe knows: `kernel/net/9p/9pnet.ko.xz` → `9pnet` */
function moduleName(path) {
  return basename(path)
    .replace(/\.ko(\.\w+)?$/, '')
    .replaceAll('-', '_');
}
