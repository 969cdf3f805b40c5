/** The interface that the suites of this folder announce on. */
import type { HostInterface } from './uplinks.js';

export const eth0: HostInterface = {
  name: 'eth0',
  index: 2,
  mac: '02:00:00:00:00:01',
  mtu: 1500,
  running: true,
  addresses: [{ address: '10.77.0.11', prefixLength: 24 }],
};
