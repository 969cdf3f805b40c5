/** Who owns the VIPs of a pool with `election: vrrp`, when something breaks and no API server can be asked. */

import { nodeAnnotations } from '@fairlead/api';
import { steady, stopWhenSteady } from '@fairlead/cli';
import type { NodeObject } from '@fairlead/ipvs';
import { startProbe } from '@fairlead/lab';
import { constants, inNetns, RawSocket, sockaddrIn } from '@fairlead/raw-socket';
import type { Found } from '@fairlead/speaker';
import { expect } from 'chai';
import { ArpObserver } from './arp-observer.js';
import { Cluster, PORT, said } from './cluster.js';
import { oneOwner } from './one-owner.js';
import { overlapping } from './overlapping.js';

/** Longer than any step takes on a busy machine; nothing waits for it when all is well. */
const PATIENCE_MS = 180_000;
const FETCH = 'fetch(process.argv[1]).then((reply) => reply.text()).then((text) => console.log(text))';

describe('a VIP that VRRP elects an owner for', function () {
  this.timeout(PATIENCE_MS);
  let cluster: Cluster;
  let vip: string;

  before(async () => {
    cluster = await Cluster.start('nftables');
    await cluster.createPoolWith('public', { addresses: ['10.77.0.200-10.77.0.215'], election: 'vrrp' });
    // So that no kube-proxy sends connections on to the dead node's Pod: without an API server it would not learn of its death.
    await cluster.createService('web', 'public', PORT, { spec: { externalTrafficPolicy: 'Local' } });
    vip = await cluster.vipOf('web');
    await cluster.served(vip);
  });
  after(() => cluster?.stop());

  it('has one owner, which its Lease names', async () => {
    const owner = await cluster.owner();
    const observer = new ArpObserver(cluster.lab.client, vip);
    try {
      const from = performance.now();
      await observer.answered(20);
      expect(observer.answeredSince(from).size).to.equal(1);
    } finally {
      observer.close();
    }
    expect(cluster.speakers.get(owner.name)!.output).to.include('owner of public.');
  });

  it('moves when its owner stops, without a rival', async () => {
    const owner = await cluster.owner();
    const stopped = cluster.stopSpeaker(owner);
    await cluster.owner(owner);
    await cluster.served(vip);
    await stopped;
    cluster.startSpeaker(owner);
  });

  it('has one owner, and is served again, after all speakers were killed and started while no API server answers', async () => {
    const observer = new ArpObserver(cluster.lab.client, vip);
    cluster.lab.apiServer!.signal('SIGSTOP');
    try {
      await cluster.killSpeakers();
      const killedAt = performance.now();
      await Promise.all(cluster.lab.nodes.map((node) => cluster.startReady(node)));
      await oneOwner(cluster, vip, observer);
      const since = observer.answers.filter(({ atMs }) => atMs >= killedAt);
      expect(overlapping(since), 'questions that two have answered').to.equal(0);
    } finally {
      cluster.lab.apiServer!.signal('SIGCONT');
      observer.close();
    }
    await cluster.served(vip);
  });

  it('is served by speakers that start while no API server can be reached', async () => {
    // Long enough running for a snapshot: it is written at the latest when a speaker stops.
    for (const node of cluster.lab.nodes) node.managementDown();
    for (const node of cluster.lab.nodes) {
      await cluster.stopSpeaker(node);
      await cluster.startReady(node);
    }
    await cluster.served(vip);
    for (const node of cluster.lab.nodes) node.managementUp();
  });

  it('is not for strangers to take part in, of whom the log and a metric tell', async () => {
    const owner = await cluster.owner();
    const told = cluster.said(owner, 'its sender is no node of this cluster');
    inNetns(cluster.lab.client.netns, () => {
      const { AF_INET: domain, SOCK_RAW: type, IPPROTO_VRRP: protocol } = constants;
      const socket = new RawSocket({ domain, type, protocol });
      socket.send(Buffer.from('anything'), sockaddrIn({ address: owner.lanAddress }));
      socket.close();
    });
    await told;
    const { stdout } = await cluster.lab.client.exec([
      process.execPath,
      '-e',
      FETCH,
      `http://${owner.lanAddress}:7480/metrics`,
    ]);
    expect(stdout.split('\n')).to.include('fairlead_speaker_vrrp_faults_total{fault="sender"} 1');
  });

  it('is left alone by a drained node whose speaker starts while no API server can be reached, until that is undrained', async () => {
    const owner = await cluster.owner();
    const node = cluster.lab.nodes.find((other) => other !== owner)!;
    const self = ({ contents }: Found) =>
      contents.nodes!.find(({ metadata }) => metadata?.name === node.name) as NodeObject;
    const isDrained = (found: Found) => nodeAnnotations.drain in (self(found).metadata?.annotations ?? {});
    const isReady = (found: Found) => self(found).status?.conditions?.some(({ status }) => status === 'True');
    const restartAlone = async () => {
      node.managementDown();
      await cluster.stopSpeaker(node);
      return cluster.startSpeaker(node);
    };
    // So that nothing is to be written down any more but that it is drained, which changes no VIP and no virtual server.
    await cluster.stopSpeaker(node);
    const startedAt = new Date().toISOString();
    await cluster.startReady(node);
    await cluster.wroteDown(node, ({ writtenAt }) => writtenAt > startedAt);
    expect((await cluster.fairlead('drain', node.name)).code).to.equal(0);
    await cluster.wroteDown(node, isDrained);
    await said(await restartAlone(), 'not standing for election: the Node is drained');
    node.managementUp();
    expect((await cluster.fairlead('undrain', node.name)).code).to.equal(0);
    await cluster.wroteDown(node, (found) => !isDrained(found) && isReady(found));
    await said(await restartAlone(), '"standing for election"');
    node.managementUp();
    await cluster.served(vip);
  });

  it('moves when its owner crashes and no API server can be reached', async () => {
    const owner = await cluster.owner();
    const probe = startProbe(cluster.lab.client, { address: vip, port: PORT, timeoutMs: 200 });
    await steady(probe);
    for (const node of cluster.lab.nodes) node.managementDown();
    owner.crash();
    const { outageMs } = await stopWhenSteady(probe, { connectTimeoutMs: 200 });
    expect(outageMs).to.be.a('number');
    for (const node of cluster.lab.nodes) if (node !== owner) node.managementUp();
    // What was decided without the API server is what the Lease says once it is back.
    const next = await cluster.owner(owner);
    expect(next.name).to.not.equal(owner.name);
  });
});
