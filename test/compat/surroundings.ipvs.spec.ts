import { whyNoIpvs } from '../forwarder/why-no-ipvs.js';
import { describeSurroundings } from './surroundings.js';

const reason = whyNoIpvs();
if (reason) {
  it.skip(`works beside kube-proxy in ipvs mode [skipped: ${reason}]`);
} else {
  describeSurroundings(
    'beside kube-proxy in ipvs mode',
    'ipvs',
    { proxyMode: 'ipvs', uplinks: ['bond', 'vlan', 'bridge'] },
    async (node) => {
      const { stdout } = await node.exec(['cat', '/proc/net/ip_vs_stats']);
      return Number.parseInt(stdout.split('\n')[2] ?? '', 16); // total connections
    },
  );
}
