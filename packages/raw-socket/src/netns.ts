/**
 * Network namespaces, those of `ip netns`: one that is made here shows there, and the other way round.
 *
 * A network namespace belongs to a thread. inNetns() moves the calling thread into one and back, around a synchronous
 * function. What that function creates (sockets, listening servers, child processes, workers) stays in the namespace;
 * what runs on other threads (asynchronous fs, dns.lookup) or later (promises, callbacks) does not happen there.
 */
import { readdirSync, stat } from 'node:fs';
import { types } from 'node:util';
import { native } from './native.js';

const DIRECTORY = '/run/netns';

/** The path of a namespace: NAME becomes /run/netns/NAME; an absolute path, such as /proc/1/ns/net, stays. */
export function netnsPath(name: string): string {
  if (typeof name === 'string' && name.startsWith('/')) return name;
  return `${DIRECTORY}/${checkName(name)}`;
}

function checkName(name: string): string {
  if (typeof name !== 'string') {
    throw Object.assign(new TypeError('a network namespace is named by a string'), { code: 'ERR_INVALID_ARG_TYPE' });
  }
  if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name) || Buffer.byteLength(name) > 255) {
    const message = `'${name}' cannot name a network namespace: 1 to 255 bytes without '/', and not '.' or '..'`;
    throw Object.assign(new RangeError(message), { code: 'ERR_INVALID_ARG_VALUE' });
  }
  return name;
}

let threadPoolStarted = false;

/**
 * Calls fn with this thread inside the namespace, and returns what it returns. The thread is back before this function
 * returns or throws; should the kernel refuse that, the process aborts with a message rather than act in the wrong
 * network. Needs CAP_SYS_ADMIN, over the namespace left as well.
 *
 * @throws TypeError when fn returns a promise or another thenable, since its later steps would run outside.
 */
export function inNetns<T>(netns: string, fn: () => T): T {
  const path = netnsPath(netns);
  if (!threadPoolStarted) {
    // A thread is born into its creator's namespace. libuv's pool starts with the first asynchronous file or DNS call;
    // were that made inside fn, every later dns.lookup of this process would be answered from there.
    threadPoolStarted = true;
    stat('/', () => {});
  }
  const result = native.inNetns(path, fn);
  const isObject = (typeof result === 'object' && result !== null) || typeof result === 'function';
  if (types.isPromise(result) || (isObject && typeof (result as { then?: unknown }).then === 'function')) {
    const message = 'inNetns needs a synchronous function: this one returned a promise, which goes on outside';
    throw Object.assign(new TypeError(message), { code: 'ERR_INVALID_RETURN_VALUE' });
  }
  return result;
}

/**
 * Makes a network namespace as `ip netns add` does: empty, its loopback interface down.
 * Needs CAP_SYS_ADMIN; throws EEXIST when the name is taken.
 */
export function createNetns(name: string): void {
  native.createNetns(DIRECTORY, `${DIRECTORY}/${checkName(name)}`);
}

/**
 * Removes the name, as `ip netns delete` does. The namespace itself, with its interfaces, goes when nothing is in it any
 * more: no process, and no open socket. Throws ENOENT when there is none.
 */
export function deleteNetns(name: string): void {
  native.deleteNetns(`${DIRECTORY}/${checkName(name)}`);
}

/** The names under /run/netns, sorted; none when nothing has ever made one. */
export function listNetns(): string[] {
  try {
    return readdirSync(DIRECTORY).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
