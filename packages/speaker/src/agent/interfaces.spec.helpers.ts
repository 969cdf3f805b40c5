/** The interface that the suites of this folder announce on. */
import type { HostInterface } from './uplinks.js';

export const eth0: HostInterface = {
  name: 'eth0',
  index: 2,
  mtu: 1500,
  running: true,
  addresses: [{ address: '10.77.0.11', prefixLength: 24 }],
};
