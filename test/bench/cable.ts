/**
 * Two hosts on one cable, each a network namespace:
 *
 *   station  eth0 10.0.0.1/8, fd00::1/32  ────  eth0 10.0.0.2/8, fd00::2/32  observer
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { Rtnetlink } from '@fairlead/netlink';
import { netnsPath } from '@fairlead/raw-socket';
import { parseMac } from '@fairlead/speaker';

export const STATION_IPV4 = '10.0.0.1';
export const STATION_IPV6 = 'fd00::1';
export const OBSERVER_IPV4 = '10.0.0.2';
export const OBSERVER_IPV6 = 'fd00::2';

/** Joins two network namespaces. */
export function lay(station: string, observer: string) {
  const near = new Rtnetlink({ netns: station });
  const far = new Rtnetlink({ netns: observer });
  try {
    near.addVeth({ name: 'eth0', peer: { name: 'eth0', netns: netnsPath(observer) } });
    for (const [rtnetlink, number] of [
      [near, 1],
      [far, 2],
    ] as const) {
      const { index } = rtnetlink.link('eth0')!;
      rtnetlink.setLink(index, { up: true });
      rtnetlink.setLink(rtnetlink.link('lo')!.index, { up: true });
      rtnetlink.addAddress({ index, address: `10.0.0.${number}`, prefixLength: 8 });
      rtnetlink.addAddress({ index, address: `fd00::${number}`, prefixLength: 32, noDad: true });
    }
    const { index, address: stationAddress } = near.link('eth0')!;
    const { index: observerIndex, address } = far.link('eth0')!;
    return {
      uplink: { name: 'eth0', index, addresses: [STATION_IPV4, STATION_IPV6] },
      observerIndex,
      observerMac: parseMac(address),
      stationMac: parseMac(stationAddress),
    };
  } finally {
    near.close();
    far.close();
  }
}

/** A program of Node in a network namespace, which dies with this process. */
export function runIn(
  netns: string,
  argv: readonly string[],
  stdout: 'pipe' | 'inherit',
  stderr: 'pipe' | 'inherit' = 'inherit',
  environment: Readonly<Record<string, string>> = {},
): ChildProcess {
  const prefix = ['--pdeathsig', 'KILL', 'nsenter', `--net=${netnsPath(netns)}`, '--', process.execPath];
  const env = { ...process.env, ...environment };
  return spawn('setpriv', [...prefix, ...argv], { stdio: ['ignore', stdout, stderr, 'ipc'], env });
}
