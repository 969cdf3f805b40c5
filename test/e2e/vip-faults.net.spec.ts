/**
 * Who owns a VIP when something breaks. The election does not care who forwards, so this is tried with one forwarder only; a node that
 * crashes is tried with both, by the demo.
 */

import { parseAddress } from '@fairlead/api';
import { startSpeaker, steady, stopWhenSteady, until } from '@fairlead/cli';
import { OwnerRules } from '@fairlead/ipvs';
import { events, Informer, type KubeObject } from '@fairlead/kube';
import { type LabNode, startProbe } from '@fairlead/lab';
import { gratuitousArp, parseMac } from '@fairlead/speaker';
import { expect } from 'chai';
import { ArpObserver } from './arp-observer.js';
import { Cluster, PORT, routedBy, said } from './cluster.js';

/** Longer than any step takes on a busy machine; nothing waits for it when all is well. */
const PATIENCE_MS = 180_000;
const LEASE_MS = 3_000;
/** Longer than the kernel of a killed speaker's node holds the way into its director, and than the next owner suspects that node. */
const SWITCHED_OFF_MS = 8_000;

describe('a VIP', function () {
  this.timeout(PATIENCE_MS);
  let cluster: Cluster;
  let vip: string;
  let observer: ArpObserver | undefined;

  before(async () => {
    cluster = await Cluster.start('nftables');
    await cluster.createPool('public', '10.77.0.200-10.77.0.215');
    await cluster.createService('web', 'public');
    vip = await cluster.vipOf('web');
    await cluster.owner();
    await cluster.served(vip);
  });
  afterEach(() => {
    observer?.close();
    observer = undefined;
    // Every test begins with three living nodes.
    for (const node of cluster.lab.nodes) {
      node.linkUp();
      if (node.isOn && cluster.speakers.get(node.name)?.exit) cluster.startSpeaker(node);
    }
  });
  after(() => cluster?.stop());

  function observe(): ArpObserver {
    observer = new ArpObserver(cluster.lab.client, vip);
    return observer;
  }

  it('is answered for by one station only', async () => {
    const seen = observe();
    const from = performance.now();
    await seen.answered(20);
    expect(seen.answeredSince(from).size).to.equal(1);
  });

  it('stays where it is when the API server cannot be reached for longer than a Lease lasts', async () => {
    const owner = await cluster.owner();
    // Patient: what counts is whether the VIP is given up, not how busy this machine is.
    const probe = startProbe(cluster.lab.client, { address: vip, port: PORT, timeoutMs: 2_000 });
    await steady(probe);
    cluster.lab.apiServer!.signal('SIGSTOP');
    try {
      await steady(probe, 3 * LEASE_MS);
    } finally {
      cluster.lab.apiServer!.signal('SIGCONT');
    }
    await steady(probe, 2 * LEASE_MS);
    const report = await probe.stop();
    expect(report.failures, JSON.stringify(report.outages)).to.equal(0);
    expect((await cluster.owner()).name).to.equal(owner.name);
  });

  it('goes on being forwarded by the kernel while its speaker is dead, and moves', async () => {
    const owner = await cluster.owner();
    const seen = observe();
    const before = await seen.answered();
    cluster.speakers.get(owner.name)!.signal('SIGKILL');
    await cluster.speakers.get(owner.name)!.exited;
    const killedAt = performance.now();
    await seen.next(({ mac }) => mac !== before.mac);
    await cluster.served(vip);
    expect(seen.answeredSince(killedAt), 'a dead speaker has answered').to.not.include(before.mac);
    expect((await cluster.owner(owner)).name).to.not.equal(owner.name);
    // A real server again, once the dead man's switch of that node has gone off.
    await cluster.served(vip, { forMs: SWITCHED_OFF_MS });
  });

  it('moves when its owner is frozen, and a thawed owner stays silent', async () => {
    const owner = await cluster.owner();
    const seen = observe();
    const before = await seen.answered();
    const speaker = cluster.speakers.get(owner.name)!;
    speaker.signal('SIGSTOP');
    const next = await seen.next(({ mac }) => mac !== before.mac);
    const silenced = said(speaker, 'no longer owner');
    speaker.signal('SIGCONT');
    const thawedAt = performance.now();
    await silenced;
    for (let n = 0; n < 20; n++) await seen.next(({ mac, gratuitous }) => !gratuitous && mac === next.mac);
    expect(seen.answeredSince(thawedAt), 'the thawed owner has answered').to.deep.equal(new Set([next.mac]));
    await cluster.served(vip);
  });

  it('is handed over at once when its speaker is told to stop', async () => {
    const owner = await cluster.owner();
    expect((await cluster.stopSpeaker(owner)).code).to.equal(0);
    expect((await cluster.owner(owner)).name).to.not.equal(owner.name);
    await cluster.served(vip);
    expect(routedBy(owner), 'a node that is not the owner has a rule').to.deep.equal([]);
  });

  const repaired: [string, (owner: LabNode) => string[]][] = [
    ['the interface to the director is switched off', () => ['ip', 'link', 'set', 'fairlead0', 'down']],
    ['the interface to the director is deleted', () => ['ip', 'link', 'delete', 'fairlead0']],
    [
      'the director’s end of it is switched off',
      ({ directorName }) => ['ip', '-n', directorName, 'link', 'set', 'eth0', 'down'],
    ],
  ];
  for (const [what, command] of repaired) {
    it(`is served again by the same owner when ${what}`, async () => {
      const owner = await cluster.owner();
      const probe = startProbe(cluster.lab.client, { address: vip, port: PORT });
      await steady(probe);
      const { code, stderr } = await owner.exec(command(owner));
      expect(code, stderr).to.equal(0);
      await steady(probe);
      await probe.stop();
      expect((await cluster.owner()).name).to.equal(owner.name);
    });
  }

  it('is routed into the director again when its rule was taken away', async () => {
    const owner = await cluster.owner();
    const rules = new OwnerRules({ hostNetns: owner.netns });
    const [table] = rules.list();
    const repaired = cluster.said(owner, 'is put back');
    rules.release(table!);
    await repaired;
    expect(rules.list()).to.deep.equal([table]);
    rules.close();
    await cluster.served(vip);
  });

  it('moves when there is no way into the director of its owner, and none can be made', async () => {
    const owner = await cluster.owner();
    // Somebody else has an address of the network between host and director.
    const taken = '169.254.77.3/32';
    const batch = `address add ${taken} dev lo\nlink delete fairlead0\n`;
    expect((await owner.exec(['ip', '-batch', '-'], { input: batch })).code).to.equal(0);
    expect((await cluster.owner(owner)).name).to.not.equal(owner.name);
    await owner.exec(['ip', 'address', 'delete', taken, 'dev', 'lo']);
    await cluster.served(vip);
  });

  it('is announced again when another station claims it', async () => {
    const owner = await cluster.owner();
    const seen = observe();
    const { mac } = await seen.answered();
    const defended = seen.next((answer) => answer.gratuitous && answer.mac === mac);
    const reported = cluster.said(owner, '02:66:66:66:66:66');
    seen.send(gratuitousArp(Number(parseAddress(vip).value), parseMac('02:66:66:66:66:66')));
    await Promise.all([defended, reported]);
    await cluster.served(vip);
  });

  it('is not contested by a second speaker on a host, nor by one whose node the cluster does not know, which say so', async () => {
    const owner = await cluster.owner();
    const node = cluster.lab.nodes.find((candidate) => candidate !== owner)!;
    const extra = ['--node-name', 'ghost'];
    const ghost = startSpeaker(cluster.lab, node, { forwarder: 'nftables', extra });
    await said(ghost, 'another speaker runs on this host');
    await cluster.stopSpeaker(node);
    await said(ghost, 'not standing for election: there is no Node');
    ghost.signal('SIGKILL');
    await ghost.exited;
    cluster.startSpeaker(node);
    expect((await cluster.owner()).name).to.equal(owner.name);
  });

  it('is not contested by a node whose firewall drops what it forwards, until that is opened as the node says', async () => {
    const owner = await cluster.owner();
    const node = cluster.lab.nodes.find((candidate) => candidate !== owner)!;
    await cluster.stopSpeaker(node);
    const nft = (...words: string[]) => node.exec(['nft', words.join(' ')]);
    const heard = new Informer<KubeObject & { reason?: string; message?: string }>({
      client: cluster.lab.kube,
      resource: events,
    });
    heard.start();
    await nft('add table inet guard');
    await nft('add chain inet guard transit { type filter hook forward priority 0 ; policy drop ; }');
    try {
      const speaker = cluster.startSpeaker(node);
      const message = 'not standing for election: the firewall of this host (inet guard transit) drops';
      await said(speaker, message);
      const told = await until(heard, 'an Event', ({ reason, message }) =>
        reason === 'HostObstacle' ? message : undefined,
      );
      const commands = told.slice(told.lastIndexOf(': ') + 2).split('; ');
      for (const command of commands) expect((await node.exec(command.split(' '))).code, command).to.equal(0);
      await said(speaker, '"standing for election"');
    } finally {
      heard.stop();
      await nft('delete table inet guard');
    }
  });

  it('moves when the link of its owner is cut, though the speaker lives on', async () => {
    const owner = await cluster.owner();
    const seen = observe();
    const before = await seen.answered();
    owner.linkDown();
    await seen.next(({ mac, gratuitous }) => !gratuitous && mac !== before.mac);
    // Not every connect succeeds: the cluster reaches the node by its other network, believes it Ready, and has
    // kube-proxy send a share of the connections to its Pod.
    const probe = startProbe(cluster.lab.client, { address: vip, port: PORT });
    await probe.until('the new owner serving', (attempts) => attempts.some(({ outcome }) => outcome === 'connected'));
    await probe.stop();
  });

  it('moves when its owner crashes', async () => {
    const owner = await cluster.owner();
    const seen = observe();
    const before = await seen.answered();
    const probe = startProbe(cluster.lab.client, { address: vip, port: PORT });
    await steady(probe);
    owner.crash();
    await seen.next(({ mac, gratuitous }) => gratuitous && mac !== before.mac);
    const report = await stopWhenSteady(probe, { connectTimeoutMs: 200 });
    expect(report.failures).to.be.greaterThan(0);
    expect(report.outageMs).to.not.equal(null);
    expect((await cluster.owner(owner)).name).to.not.equal(owner.name);
  });
});
