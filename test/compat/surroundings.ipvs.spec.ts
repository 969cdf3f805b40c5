import { describeWithIpvs } from '@fairlead/netlink/testing';
import { describeSurroundings } from './surroundings.js';

describeWithIpvs('with IPVS', () => {
  describeSurroundings(
    'beside kube-proxy in ipvs mode',
    'ipvs',
    { proxyMode: 'ipvs', uplinks: ['bond', 'vlan', 'bridge'] },
    async (node) => {
      const { stdout } = await node.exec(['cat', '/proc/net/ip_vs_stats']);
      return Number.parseInt(stdout.split('\n')[2] ?? '', 16); // total connections
    },
  );
});
