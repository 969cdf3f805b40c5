/** For this package's tests: network namespaces that go away, and what `ip` and others say about them. */
import { execFileSync } from 'node:child_process';
import { createNetns, deleteNetns } from '@fairlead/raw-socket';

let count = 0;

/** Makes an empty network namespace with a name of its own; `delete` it after the test. */
export function makeNetns(): { name: string; delete(): void } {
  const name = `flnl-${process.pid}-${++count}`;
  createNetns(name);
  return { name, delete: () => deleteNetns(name) };
}

/** Runs a command and returns what it printed. */
export function run(command: string, args: readonly string[]): string {
  return execFileSync(command, args, { encoding: 'utf8' });
}

/** What `ip -j ARGS` prints in the namespace. */
// biome-ignore lint/suspicious/noExplicitAny: the shape is iproute2's, and each test says which part it expects.
export function ipJson(netns: string, ...args: string[]): any[] {
  return JSON.parse(run('ip', ['-n', netns, '-j', '-d', ...args]).trim() || '[]');
}

/** Runs a command in the namespace. */
export function runIn(netns: string, command: string, ...args: string[]): string {
  return run('nsenter', [`--net=/run/netns/${netns}`, '--', command, ...args]);
}
