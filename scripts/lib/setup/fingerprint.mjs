/**
 * Whether anything has to be installed or built: compares what the working tree is with what it was when that was
 * done last. Only names, times and sizes are read, so that "nothing to do" takes milliseconds.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';

const OUTPUT_FOLDERS = new Set(['dist', 'build', 'node_modules']);

/** The installed packages depend on the lock file and on what native code is compiled for. @param {string} root */
export function installFingerprint(root) {
  const lock = readFileSync(join(root, 'package-lock.json'));
  return digest([lock.toString(), process.arch, process.versions.modules]);
}

/** @param {string} root @returns {string} changes with every source file of `packages` and `test` */
export function sourceFingerprint(root) {
  const files = sourceFiles(root).map((file) => {
    const { mtimeMs, size } = statSync(file);
    return `${relative(root, file)} ${mtimeMs} ${size}`;
  });
  return digest([installFingerprint(root), ...files]);
}

/** @param {string} root @returns {string[]} outputs of the build that are not there, absolute */
export function missingOutputs(root) {
  const addon = join(root, 'packages', 'raw-socket', 'build', 'Release', 'raw_socket.node');
  const compiled = sourceFiles(root).map((file) => compiledFile(root, file));
  return [addon, ...compiled.filter((file) => file !== undefined)].filter((file) => !existsSync(file));
}

/**
 * Where tsc puts a source file: packages/x/src/a.ts → packages/x/dist/a.js, test/a.ts → test/dist/a.js.
 * @param {string} root @param {string} file absolute @returns {string | undefined} undefined: not a TypeScript source
 */
export function compiledFile(root, file) {
  if (!file.endsWith('.ts') || file.endsWith('.d.ts')) return undefined;
  const [top, ...rest] = relative(root, file).replace(/\.ts$/, '.js').split('/');
  if (top === 'test') return join(root, 'test', 'dist', ...rest);
  const [name, src, ...path] = rest;
  if (top !== 'packages' || !name || src !== 'src') return undefined;
  return join(root, 'packages', name, 'dist', ...path);
}

/** @param {string} root @returns {string[]} absolute */
function sourceFiles(root) {
  const configs = ['package.json', 'tsconfig.json', 'tsconfig.base.json'].map((name) => join(root, name));
  return [...configs, ...filesBelow(join(root, 'packages')), ...filesBelow(join(root, 'test'))];
}

/** @param {string} folder @returns {string[]} without what is built */
function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return OUTPUT_FOLDERS.has(entry.name) ? [] : filesBelow(path);
    return entry.isFile() && !entry.name.endsWith('.tsbuildinfo') ? [path] : [];
  });
}

/** @param {readonly string[]} texts */
function digest(texts) {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(text).update('\0');
  return hash.digest('hex');
}
