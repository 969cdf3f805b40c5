/** What happens to the owner of a VIP, but a partition of its network: each from a node owning to all being well again. */
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '@fairlead/cli';
import type { LabNode } from '@fairlead/lab';
import type { ArpObserver } from '../../e2e/arp-observer.js';
import type { Cluster } from '../../e2e/cluster.js';
import { drainForAWhile, endSpeaker, failBack, type Ground, moveAway, startAgain } from './with-cluster.js';

/** Longer than the default Lease. */
const LEASE_MS = 3_000;
/** When the API server is back: after so many, nobody goes by what it read before. VRRP writes only who has become the owner. */
const RENEWALS = 2;
/** Who answers them goes on answering. */
const ANSWERS = 20;
const FLAPS = 5;
const LONGEST_FLAP_MS = 200;

export type Case = (ground: Ground, owner: LabNode, observer: ArpObserver) => Promise<unknown>;

export const CASES: Readonly<Record<string, Case>> = {
  drain: drainForAWhile,
  move: moveAway,
  sigterm: (ground, owner) => end(ground, owner, 'SIGTERM'),
  sigkill: (ground, owner) => end(ground, owner, 'SIGKILL'),
  failback: failBack,
  freeze: async ({ cluster }, owner) => {
    const speaker = cluster.speakers.get(owner.name)!;
    speaker.signal('SIGSTOP');
    await cluster.owner(owner);
    const yielded = cluster.said(owner, 'no longer owner');
    speaker.signal('SIGCONT');
    await yielded;
  },
  crash: async ({ cluster }, owner) => {
    owner.crash();
    await cluster.owner(owner);
    await owner.powerOn();
    await startAgain(cluster, owner);
  },
  link: async ({ cluster }, owner) => {
    owner.linkDown();
    await cluster.owner(owner);
    owner.linkUp();
  },
  'flapping-link': async (_, owner) => {
    for (let n = 0; n < FLAPS; n++) {
      owner.linkDown();
      await sleep(Math.random() * LONGEST_FLAP_MS);
      owner.linkUp();
      await sleep(Math.random() * LONGEST_FLAP_MS);
    }
  },
  'api-outage': async ({ cluster, election }) => {
    const { apiServer } = cluster.lab;
    apiServer!.signal('SIGSTOP');
    await sleep(LEASE_MS + 1_000);
    apiServer!.signal('SIGCONT');
    if (election === 'lease') await written(cluster, RENEWALS);
  },
  'restart-in-api-outage': async ({ cluster, election }, owner, observer) => {
    for (const node of cluster.lab.nodes) node.managementDown();
    await cluster.stopSpeaker(owner);
    await cluster.startReady(owner);
    await observer.answered(ANSWERS);
    for (const node of cluster.lab.nodes) node.managementUp();
    await written(cluster, election === 'lease' ? RENEWALS : 1);
  },
};

async function end(ground: Ground, owner: LabNode, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  await endSpeaker(ground, owner, signal);
  await startAgain(ground.cluster, owner);
}

/** Resolves when the Lease has been written so many times more. */
async function written(cluster: Cluster, times: number): Promise<void> {
  const renewedAt = () => cluster.leases.list()[0]?.spec?.renewTime;
  for (let n = 0, before = renewedAt(); n < times; n++, before = renewedAt()) {
    await until(cluster.leases, 'a renewal', ({ spec }) => spec?.renewTime !== before || undefined);
  }
}
