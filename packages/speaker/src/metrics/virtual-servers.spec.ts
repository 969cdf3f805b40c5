import type { VirtualServerStats } from '@fairlead/ipvs';
import { expect } from 'chai';
import { MAX_REAL_SERVERS, REAL_SERVER_METRICS, virtualServersPage } from './virtual-servers.js';

const server = (port: number, realServers: VirtualServerStats['realServers']): VirtualServerStats => ({
  address: 'fd00:77::c8',
  port,
  protocol: 'tcp',
  scheduler: 'wrr',
  realServers,
});

describe('metrics of virtual servers', () => {
  it('show every real server, with what only IPVS counts where it does', () => {
    const text = virtualServersPage([
      server(80, [
        { address: 'fd00:77::b', port: 30080, weight: 1, connections: 4n, activeConnections: 2, inBytes: 10n },
        { address: '10.77.0.12', port: 30080, weight: 0, connections: 1n },
      ]),
    ]);
    const labels = (real: string) => `{vip="fd00:77::c8",port="80",protocol="tcp",real_server="${real}"`;
    expect(text.split('\n').filter((line) => line.includes('{'))).to.deep.equal([
      `fairlead_speaker_real_server_weight${labels('[fd00:77::b]:30080')}} 1`,
      `fairlead_speaker_real_server_weight${labels('10.77.0.12:30080')}} 0`,
      `fairlead_speaker_real_server_connections_total${labels('[fd00:77::b]:30080')}} 4`,
      `fairlead_speaker_real_server_connections_total${labels('10.77.0.12:30080')}} 1`,
      `fairlead_speaker_real_server_active_connections${labels('[fd00:77::b]:30080')}} 2`,
      `fairlead_speaker_real_server_bytes_total${labels('[fd00:77::b]:30080')},direction="in"} 10`,
    ]);
  });

  it('are readable by a Prometheus', () => {
    const text = virtualServersPage([]);
    for (const { name, type, help } of REAL_SERVER_METRICS) {
      expect(text).to.contain(`# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`);
    }
    expect(text.endsWith('\n')).to.equal(true);
  });

  it('are bounded, and say how much they leave out', () => {
    const realServers = Array.from({ length: MAX_REAL_SERVERS + 3 }, (_, n) => ({
      address: `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`,
      port: 80,
      weight: 1,
      connections: 0n,
    }));
    const text = virtualServersPage([server(80, realServers)]);
    expect(text).to.contain('fairlead_speaker_real_servers_left_out 3');
    expect(text.match(/^fairlead_speaker_real_server_weight\{/gm)).to.have.length(MAX_REAL_SERVERS);
  }).timeout(60_000);
});
