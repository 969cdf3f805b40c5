/** A station that has an address of the pool before Fairlead does. */

import { type AddressPool, conditions } from '@fairlead/api';
import { until } from '@fairlead/cli';
import { addressPools, events, Informer, type KubeObject } from '@fairlead/kube';
import { Rtnetlink } from '@fairlead/netlink';
import { expect } from 'chai';
import { ArpObserver } from './arp-observer.js';
import { Cluster } from './cluster.js';

/** Longer than any step takes on a busy machine; nothing waits for it when all is well. */
const PATIENCE_MS = 180_000;
const ADDRESSES = { lease: '10.77.0.220', vrrp: '10.77.0.221' };

const FETCH = 'fetch(process.argv[1]).then((reply) => reply.text()).then((text) => console.log(text))';

interface EventObject extends KubeObject {
  reason?: string;
  message?: string;
}

describe('an address that a station of the LAN has already', function () {
  this.timeout(PATIENCE_MS);
  let cluster: Cluster;
  let station: string;

  before(async () => {
    cluster = await Cluster.start('nftables');
    const links = new Rtnetlink({ netns: cluster.lab.router.netns });
    const { index, address } = links.link('lan0')!;
    station = address!;
    for (const taken of Object.values(ADDRESSES)) links.addAddress({ index, address: taken, prefixLength: 32 });
    links.close();
  });
  after(() => cluster?.stop());

  /** Lines of all speakers. */
  async function metrics(): Promise<string[]> {
    const fetched = cluster.lab.nodes.map(({ lanAddress }) =>
      cluster.lab.router.exec([process.execPath, '-e', FETCH, `http://${lanAddress}:7480/metrics`]),
    );
    return (await Promise.all(fetched)).flatMap(({ stdout }) => stdout.split('\n'));
  }

  for (const election of ['lease', 'vrrp'] as const) {
    it(`is answered for by that station alone, and the Service is told, with election ${election}`, async () => {
      const taken = ADDRESSES[election];
      const observer = new ArpObserver(cluster.lab.client, taken);
      const heard = new Informer<EventObject>({ client: cluster.lab.kube, resource: events });
      heard.start();
      const pools = new Informer<AddressPool>({ client: cluster.lab.kube, resource: addressPools });
      pools.start();
      const service = `web-${election}`;
      try {
        await cluster.createPoolWith(election, { addresses: [`${taken}/32`], election });
        await cluster.createService(service, election);
        expect(await cluster.vipOf(service)).to.equal(taken);
        const told = await until(heard, 'an Event', ({ reason, message, ...event }) => {
          const { name } = (event as { involvedObject?: { name?: string } }).involvedObject ?? {};
          return reason === 'AddressConflict' && name === service ? message : undefined;
        });
        expect(told).to.include(station).and.include('it is not announced until that station is gone');
        const conflict = await until(pools, 'a condition', ({ metadata, status }) =>
          metadata.name === election ? status?.conditions?.find(({ type }) => type === conditions.conflict) : undefined,
        );
        expect(conflict.message).to.include(taken).and.include(station);
        const shown = `fairlead_speaker_address_conflict{vip="${taken}",mac="${station}",interface="eth0"} 1`;
        expect(await metrics()).to.include(shown);
        const from = performance.now();
        for (let n = 0; n < 20; n++) await observer.next(({ mac }) => mac === station);
        expect(observer.answers.filter(({ mac }) => mac !== station)).to.deep.equal([]);
        expect(observer.answeredSince(from)).to.deep.equal(new Set([station]));
      } finally {
        heard.stop();
        pools.stop();
        observer.close();
      }
    });
  }
});
