import { expect } from 'chai';
import type { NodeInput, ServiceInput } from './input.js';
import { Planner } from './planner.js';

const node = (n: number): NodeInput => ({
  name: `n${n}`,
  internalIPs: [`10.77.0.${10 + n}`],
  ready: true,
  excluded: false,
});
const dns: ServiceInput = {
  name: 'default/dns',
  vips: ['10.77.0.200'],
  ports: [
    { name: 'udp', port: 53, nodePort: 30053, protocol: 'udp' },
    { name: 'tcp', port: 53, nodePort: 30053, protocol: 'tcp' },
    { name: 'quic', port: 853, nodePort: 30853, protocol: 'udp' },
  ],
};

/** Panics, by how many of four nodes are unhealthy. */
function panics(panicShare?: number): boolean[] {
  return [0, 1, 2, 3, 4].map((unhealthy) => {
    const planner = new Planner({ panicShare });
    planner.setService(dns);
    for (let n = 1; n <= 4; n++) {
      planner.setNode(node(n));
      planner.setNodeHealth(`n${n}`, n > unhealthy);
    }
    const servers = planner.desired().virtualServers[0]!.realServers.length;
    expect(servers, 'all are kept in panic').to.equal(planner.panic ? 4 : 4 - unhealthy);
    return planner.panic;
  });
}

describe('panic', () => {
  it('comes when every node looks unusable', () => {
    expect(panics()).to.deep.equal([false, false, false, false, true]);
  });

  it('comes from the share of unusable nodes on that is set', () => {
    expect(panics(0.5)).to.deep.equal([false, false, true, true, true]);
    expect(panics(0.6)).to.deep.equal([false, false, false, true, true]);
    expect(panics(0.01)).to.deep.equal([false, true, true, true, true]);
  });
});

describe('what there is to check', () => {
  it('says of each real server whether it can be asked by TCP', () => {
    const planner = new Planner();
    planner.setNode(node(1));
    planner.setService(dns);
    expect(planner.candidates('default/dns')).to.deep.equal([
      { address: '10.77.0.11', port: 30053, tcp: true },
      { address: '10.77.0.11', port: 30853, tcp: false },
    ]);
  });
});
