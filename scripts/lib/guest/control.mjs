/** The folder that the guest gets its orders from: what init.sh and start.sh read. */
import { realpathSync } from 'node:fs';
import { copyFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { searchPath, shellQuote } from '../process.mjs';
import { root } from '../tree.mjs';

/** Where the guest has a fresh tmpfs instead of what the host has there. */
const FRESH = ['/tmp/', '/run/'];

/** Without the user's own start-up files: those of a shell with plugins take minutes on an emulated processor. */
const SHELL = ['PS1=guest:\\w# ', 'bash', '--norc', '-i'];

/**
 * @param {string} control
 * @param {Pick<import('../guest.mjs').GuestOptions, 'argv' | 'cwd' | 'env'> & { out?: string, modules: string }} options
 *   `out`: the results folder, `modules`: the folder for /lib/modules, both absolute and without links
 */
export async function writeControl(control, { argv, cwd, env, out, modules }) {
  const workingFolder = realpathSync(cwd ?? root);
  const path = searchPath();
  const settings = {
    MODULES: realpathSync(modules),
    OUT: out ?? '',
    GUEST_PATH: path,
    INTERACTIVE: argv.length === 0 ? 'yes' : '',
    COLUMNS: String(process.stdout.columns ?? 80),
    ROWS: String(process.stdout.rows ?? 24),
  };
  await writeFile(join(control, 'settings'), lines(assignments(settings).map(shellWord)));
  const needed = [root, workingFolder, dirname(dirname(realpathSync(process.execPath)))];
  await writeFile(join(control, 'kept'), lines(keptFolders(needed)));
  const variables = {
    PATH: path,
    HOME: process.env.HOME ?? '/root',
    XDG_CACHE_HOME: process.env.XDG_CACHE_HOME,
    TERM: process.env.TERM ?? 'dumb',
    LANG: process.env.LANG ?? 'C.UTF-8',
    ...env,
  };
  const command = ['env', '-i', ...assignments(variables).map(([name, value]) => `${name}=${value}`)];
  const words = [...command, ...(argv.length === 0 ? SHELL : argv)].map(shellQuote);
  const script = [`cd ${shellQuote(workingFolder)} || exit 126`, `exec ${words.join(' ')}`];
  await writeFile(join(control, 'command'), lines(script));
  await copyFile(fileURLToPath(new URL('start.sh', import.meta.url)), join(control, 'start'));
}

/**
 * @param {readonly string[]} folders absolute, without links
 * @returns {string[]} those that would be hidden, without those that lie in another one
 */
export function keptFolders(folders) {
  const hidden = [...new Set(folders)].filter((folder) => FRESH.some((fresh) => folder.startsWith(fresh)));
  return hidden.filter((folder) => !hidden.some((other) => folder.startsWith(`${other}/`)));
}

/** @param {Record<string, string | undefined>} values @returns {[string, string][]} */
function assignments(values) {
  return Object.entries(values).flatMap(([name, value]) =>
    value === undefined ? [] : [/** @type {[string, string]} */ ([name, value])],
  );
}

/** @param {[string, string]} assignment */
function shellWord([name, value]) {
  return `${name}=${shellQuote(value)}`;
}

/** @param {readonly string[]} texts */
function lines(texts) {
  return texts.map((text) => `${text}\n`).join('');
}
