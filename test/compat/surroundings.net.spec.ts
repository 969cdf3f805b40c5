/** As far as most kernels go: bonds and VLANs are modules, and kube-proxy's ipvs mode needs ip_vs. */
import { describeSurroundings } from './surroundings.js';

describeSurroundings(
  'beside kube-proxy in iptables mode',
  'nftables',
  { proxyMode: 'iptables', uplinks: ['plain', 'bridge'] },
  async (node) => {
    const { stdout } = await node.exec(['iptables-nft', '-t', 'nat', '-vxnL', 'KUBE-NODEPORTS']);
    return Number(stdout.split('\n')[2]?.trim().split(/\s+/)[0]);
  },
);
