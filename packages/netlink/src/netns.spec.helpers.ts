/** For this package's tests: network namespaces that go away, and what `ip` and others say about them. */
import { execFileSync } from 'node:child_process';
import { createNetns, deleteNetns } from '@fairlead/raw-socket';
import { NetlinkError } from './errors.js';
import { Ipvs } from './ipvs/ipvs.js';

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

/**
 * describe() for tests that need IPVS. Without it they are skipped, and the title says why; with
 * FAIRLEAD_REQUIRE_IPVS set they fail instead.
 */
export function describeWithIpvs(title: string, body: () => void): void {
  const reason = whyNoIpvs();
  if (!reason) {
    describe(title, body);
  } else if (process.env.FAIRLEAD_REQUIRE_IPVS) {
    it(`${title}: FAIRLEAD_REQUIRE_IPVS is set`, () => {
      throw new Error(reason);
    });
  } else {
    describe.skip(`${title} [skipped: ${reason}]`, body);
  }
}

function whyNoIpvs(): string | undefined {
  try {
    new Ipvs().close();
    return undefined;
  } catch (error) {
    if (error instanceof NetlinkError && error.code === 'FL_NO_IPVS') return error.message;
    throw error;
  }
}
