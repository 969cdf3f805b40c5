/**
 * The test suites, and which spec files belong to each. A spec's name tells what it needs: `x.spec` nothing,
 * `x.net.spec` root and network namespaces, `x.ipvs.spec` a kernel with ip_vs. Compiled files without a source are left
 * out: tsc does not remove what it wrote for a file that has been renamed since.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { compiledFile } from '../setup/fingerprint.mjs';

/**
 * @typedef {'plain' | 'net' | 'ipvs'} Kind
 * @typedef {object} Suite
 * @property {string} name
 * @property {string} title
 * @property {Kind} kind
 * @property {(path: string) => boolean} has of the source's path in the tree
 * @property {number} testTimeoutMs for one test, where the spec does not say otherwise
 * @property {number} timeoutMs for all of them
 */

/** @type {readonly Suite[]} in the order in which they run */
export const SUITES = [
  {
    name: 'unit',
    title: 'units, on any machine',
    kind: 'plain',
    has: (path) => path.startsWith('packages/'),
    testTimeoutMs: 20_000,
    timeoutMs: 10 * 60_000,
  },
  {
    name: 'system',
    title: 'parts together: API server, kubectl, manifests, scripts',
    kind: 'plain',
    has: (path) => !path.startsWith('packages/'),
    testTimeoutMs: 60_000,
    timeoutMs: 10 * 60_000,
  },
  {
    name: 'net',
    title: "network namespaces on this machine's kernel",
    kind: 'net',
    has: () => true,
    testTimeoutMs: 60_000,
    timeoutMs: 30 * 60_000,
  },
  {
    name: 'ipvs',
    title: 'a kernel with ip_vs',
    kind: 'ipvs',
    has: () => true,
    testTimeoutMs: 180_000,
    timeoutMs: 30 * 60_000,
  },
];

/** @param {string} path @returns {Kind} */
export function kindOf(path) {
  if (/\.net\.spec\.\w+$/.test(path)) return 'net';
  return /\.ipvs\.spec\.\w+$/.test(path) ? 'ipvs' : 'plain';
}

/**
 * Specs of `system` that can run against a cluster instead of the lab's API server; never by itself. Of the specs with kubectl
 * those about Fairlead's own resources: the others try the lab's API server itself. @type {Suite}
 */
export const API_SUITE = {
  name: 'api',
  title: 'the API server of FAIRLEAD_TEST_KUBECONFIG',
  kind: 'plain',
  has: (path) => /^test\/(controller\/|kube\/|kubectl\/pools\.)/.test(path),
  testTimeoutMs: 60_000,
  timeoutMs: 20 * 60_000,
};

/**
 * @param {Suite} suite @param {string} root
 * @returns {string[]} the files to run, relative to `root`
 */
export function specFiles(suite, root) {
  return specSources(root)
    .filter((path) => kindOf(path) === suite.kind && suite.has(path))
    .map((path) => relative(root, compiledFile(root, join(root, path)) ?? join(root, path)))
    .filter((path) => existsSync(join(root, path)));
}

/** @param {string} root @returns {string[]} relative to `root` */
function specSources(root) {
  const packages = readdirSync(join(root, 'packages')).map((name) => join('packages', name, 'src'));
  return [...packages, 'test', 'scripts'].flatMap((folder) => {
    if (!existsSync(join(root, folder))) return [];
    return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => /\.spec\.(ts|mjs)$/.test(path) && !path.startsWith('dist/'))
      .sort()
      .map((path) => join(folder, path));
  });
}
