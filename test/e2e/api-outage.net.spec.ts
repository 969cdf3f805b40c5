/** A VIP whose owner is elected by Lease, while API servers cannot be reached: by nobody, or by its owner alone. */

import { steady } from '@fairlead/cli';
import { type LabNode, type LabProcess, startProbe } from '@fairlead/lab';
import { Rtnetlink } from '@fairlead/netlink';
import { expect } from 'chai';
import { ArpObserver } from './arp-observer.js';
import { Cluster, PORT, said } from './cluster.js';
import { oneOwner } from './one-owner.js';

/** Longer than any step takes on a busy machine; nothing waits for it when all is well. */
const PATIENCE_MS = 180_000;
const LEASE_MS = 3_000;
/** A datagram from the address given. */
const SEND = `const socket = require('node:dgram').createSocket('udp4');
socket.bind(0, process.argv[1], () => socket.send('x', 9, '10.77.0.251', () => setTimeout(() => socket.close(), 100)));`;

describe('a VIP with election lease, when the API server is out of reach', function () {
  this.timeout(PATIENCE_MS);
  let cluster: Cluster;
  let vip: string;
  let owner: LabNode;
  let observer: ArpObserver;
  /** The owner's hardware address. */
  let mac: string;

  before(async () => {
    cluster = await Cluster.start('nftables');
    await cluster.createPoolWith('public', { addresses: ['10.77.0.200-10.77.0.215'], virtualRouters: 1 });
    await cluster.createService('web', 'public');
    vip = await cluster.vipOf('web');
  });
  beforeEach(async () => {
    owner = await cluster.owner();
    await cluster.served(vip);
    observer = new ArpObserver(cluster.lab.client, vip);
    mac = (await observer.answered()).mac;
  });
  afterEach(() => {
    observer.close();
    for (const node of cluster.lab.nodes) {
      node.lanLoss({});
      node.managementUp();
    }
  });
  after(() => cluster?.stop());

  function cutOffFromApi(nodes: readonly LabNode[]): void {
    for (const node of nodes) node.managementDown();
  }

  /** Its speaker is stopped, which leaves a snapshot, and runs again. */
  async function restart(node: LabNode): Promise<LabProcess> {
    await cluster.stopSpeaker(node);
    return cluster.startSpeaker(node);
  }

  // First, as the snapshot of a speaker that was out of reach before may call its own Node NotReady.
  it('is left to whoever has taken over, by a former owner whose speaker restarts and alone reaches none', async () => {
    cutOffFromApi([owner]);
    const speaker = await restart(owner);
    const restartedAt = performance.now();
    // It believes that it may resume, asks, and is answered.
    await said(speaker, 'another station announced an address');
    const next = await cluster.owner(owner);
    await observer.answered(100);
    expect(observer.answeredSince(restartedAt).size).to.equal(1);
    expect(observer.answeredSince(restartedAt)).to.not.include(mac);
    await cluster.served(vip);
    expect((await cluster.owner()).name).to.equal(next.name);
  });

  it('is answered for again by its owner whose speaker restarts while nobody reaches one', async () => {
    const probe = startProbe(cluster.lab.client, { address: vip, port: PORT, timeoutMs: 2_000 });
    await steady(probe);
    cutOffFromApi(cluster.lab.nodes);
    await steady(probe, 2 * LEASE_MS);
    await restart(owner);
    const restartedAt = performance.now();
    await observer.next((answer) => !answer.gratuitous && answer.mac === mac);
    await steady(probe);
    expect(observer.answeredSince(restartedAt)).to.deep.equal(new Set([mac]));
    const report = await probe.stop();
    expect(report.failures, JSON.stringify(report.outages)).to.equal(0);
    // Then kube-proxy may refuse connections for as long as it reads of nodes that nobody has heard of, and the stopped speaker's farewell
    // may arrive, which gives the Lease to whoever comes first.
    for (const node of cluster.lab.nodes) node.managementUp();
    await cluster.served(vip);
  });

  it('is served on though a station that is no node answers for another VIP of the virtual router', async () => {
    const { router } = cluster.lab;
    await cluster.createService('taken', 'public');
    const taken = await cluster.vipOf('taken');
    await cluster.served(taken);
    const speaker = cluster.speakers.get(owner.name)!;
    const links = new Rtnetlink({ netns: router.netns });
    const { index } = links.link('lan0')!;
    const reported = said(speaker, `announces ${taken}`);
    links.addAddress({ index, address: taken, prefixLength: 32 });
    // Nobody has the destination: the stranger asks for it in the name of what it takes for its own.
    const speak = () => router.exec([process.execPath, '-e', SEND, taken]);
    try {
      await speak();
      await reported;
      const probe = startProbe(cluster.lab.client, { address: vip, port: PORT, timeoutMs: 2_000 });
      await steady(probe);
      const before = speaker.output.length;
      cutOffFromApi(cluster.lab.nodes);
      await said(speaker, 'no API server has answered');
      await speak();
      await steady(probe, 2 * LEASE_MS);
      await probe.stop();
      expect(speaker.output.slice(before)).to.not.include('another station announced an address');
    } finally {
      links.deleteAddress({ index, address: taken, prefixLength: 32 });
      links.close();
    }
    for (const node of cluster.lab.nodes) node.managementUp();
    await cluster.served(vip);
  });

  it('is answered for again by its owner that stood still meanwhile, after it has asked', async () => {
    const speaker = cluster.speakers.get(owner.name)!;
    cutOffFromApi(cluster.lab.nodes);
    await said(speaker, 'ECONN', 'timeout', 'EHOST', 'ENET');
    speaker.signal('SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    const silent = said(speaker, 'no longer owner');
    speaker.signal('SIGCONT');
    await silent;
    await observer.next((answer) => !answer.gratuitous && answer.mac === mac);
    await cluster.served(vip);
  });

  it('is given up by an owner that was cut off altogether, as soon as the LAN is whole', async () => {
    const speaker = cluster.speakers.get(owner.name)!;
    cutOffFromApi([owner]);
    owner.lanLoss({ sent: 1, received: 1 });
    await observer.next((answer) => !answer.gratuitous && answer.mac !== mac);
    // Its announcements are over; nobody has told the one that was cut off.
    await cluster.served(vip);
    // Where the machine has stalled, the third one has taken over from the second by now.
    const next = await observer.answered();
    expect(speaker.output.split('\n').findLast((line) => line.includes('owner of public'))).to.not.include('no longer');
    const yielded = said(speaker, 'no longer owner');
    owner.lanLoss({});
    await yielded;
    const yieldedAt = performance.now();
    await observer.answered(50);
    expect(next.mac).to.not.equal(mac);
    expect(observer.answeredSince(yieldedAt)).to.deep.equal(new Set([next.mac]));
    await cluster.served(vip);
  });

  it('is answered for again by its owner, and by no other, after all speakers were killed and started while no API server answers', async () => {
    cluster.lab.apiServer!.signal('SIGSTOP');
    try {
      await cluster.killSpeakers();
      const killedAt = performance.now();
      await Promise.all(cluster.lab.nodes.map((node) => cluster.startReady(node)));
      expect(await oneOwner(cluster, vip, observer)).to.equal(mac);
      expect(observer.answeredSince(killedAt)).to.deep.equal(new Set([mac]));
    } finally {
      cluster.lab.apiServer!.signal('SIGCONT');
    }
    await cluster.served(vip);
  });
});
