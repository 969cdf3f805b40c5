/**
 * Two network namespaces joined by a veth pair:
 *
 *   left  eth0 10.0.0.1/24 fd00::1/64  ────  eth0 10.0.0.2/24 fd00::2/64  right
 *
 * Made with iproute2, not with this package: what is tested should not test itself.
 */
import { execFileSync } from 'node:child_process';

export interface Lan {
  left: Host;
  right: Host;
  remove(): void;
}

export interface Host {
  netns: string;
  ifindex: number;
  hardwareAddress: Buffer;
}

export function ip(...argv: string[]): string {
  return execFileSync('ip', argv, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

let count = 0;

/** A name that no other test process uses at the same time. */
export function netnsName(): string {
  return `fl-rs-${process.pid}-${count++}`;
}

export function createLan(): Lan {
  const [left, right] = [netnsName(), netnsName()];
  for (const netns of [left, right]) {
    ip('netns', 'add', netns);
    ip('-n', netns, 'link', 'set', 'lo', 'up');
  }
  ip('-n', left, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', right);
  for (const [netns, number] of [
    [left, 1],
    [right, 2],
  ] as const) {
    ip('-n', netns, 'address', 'add', `10.0.0.${number}/24`, 'dev', 'eth0');
    ip('-n', netns, 'address', 'add', `fd00::${number}/64`, 'dev', 'eth0', 'nodad');
    ip('-n', netns, 'link', 'set', 'eth0', 'up');
  }
  return {
    left: host(left),
    right: host(right),
    remove() {
      for (const netns of [left, right]) ip('netns', 'delete', netns);
    },
  };
}

function host(netns: string): Host {
  const [link] = JSON.parse(ip('-n', netns, '-json', 'link', 'show', 'eth0')) as { ifindex: number; address: string }[];
  return { netns, ifindex: link!.ifindex, hardwareAddress: Buffer.from(link!.address.replaceAll(':', ''), 'hex') };
}
