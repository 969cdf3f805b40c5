/** Runs code in a Node process of its own, for what would disturb the test runner: crashes, exits, garbage collection. */
import { spawn } from 'node:child_process';

export interface ChildResult {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

const PRELUDE = `
import * as raw from ${JSON.stringify(new URL('./index.js', import.meta.url).href)};
import { native } from ${JSON.stringify(new URL('./native.js', import.meta.url).href)};
import { readdirSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
const { RawSocket, constants: c } = raw;
const openFds = () => readdirSync('/proc/self/fd').length;
const unix = () => { const s = new RawSocket({ domain: c.AF_UNIX, type: c.SOCK_DGRAM, protocol: 0 }); s.bind(family); return s; };
const family = Buffer.from(new Uint16Array([c.AF_UNIX]).buffer);
const tick = () => new Promise((resolve) => setImmediate(resolve));
`;

/**
 * The module code, after an import of this package as `raw` and a few helpers: `unix()` is a datagram socket with an
 * address of its own, `openFds()` counts descriptors. `PRELUDE` holds that text, for the code of workers. A wrapper
 * is a command that runs node, such as `unshare --user`.
 */
export function runNode(code: string, { wrapper = [] as string[] } = {}): Promise<ChildResult> {
  const module = `${PRELUDE}\nconst PRELUDE = ${JSON.stringify(PRELUDE)};\n${code}`;
  const [command, ...argv] = [...wrapper, process.execPath, '--expose-gc', '--input-type=module', '-e', module];
  // A program that does not end fails its test, and does not outlive it.
  const child = spawn(command!, argv, { timeout: 50_000, killSignal: 'SIGKILL' });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode, signal) => resolve({ code: exitCode, signal, stdout, stderr }));
  });
}
