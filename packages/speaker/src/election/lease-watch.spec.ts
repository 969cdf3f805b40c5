import { leaseAnnotations, leaseLabels } from '@fairlead/api';
import type { KubeApi, WatchOptions } from '@fairlead/kube';
import type { LeaseObject } from '@fairlead/lease-lock';
import { expect } from 'chai';
import { LeaseWatch } from './lease-watch.js';

function lease(version: string, holderIdentity = 'n1', annotations: Record<string, string> = {}): LeaseObject {
  const metadata = { name: 'vr-public-0', namespace: 'fairlead-system', uid: 'a', resourceVersion: version };
  return { metadata: { ...metadata, labels: leaseLabels('public.0'), annotations }, spec: { holderIdentity } };
}

/** Resolves when its only Lease was listed, in version 7. `isKnown`: what the watch need not tell. */
async function setUp(): Promise<{ watch: LeaseWatch; isKnown: (version: string) => boolean }> {
  let watching = (_: WatchOptions) => {};
  const began = new Promise<WatchOptions>((resolve) => {
    watching = resolve;
  });
  const client = {
    list: async () => ({ resourceVersion: '7', items: [lease('7')] }),
    watch: async function* (_: unknown, options: WatchOptions) {
      watching(options);
      await new Promise((resolve) => options.signal!.addEventListener('abort', resolve, { once: true }));
    },
    patch: async () => lease('8'),
  };
  const watch = new LeaseWatch({
    client: client as unknown as Pick<KubeApi, 'list' | 'watch' | 'patch'>,
    namespace: 'fairlead-system',
    node: 'n1',
    preemptDelayMs: 0,
    clock: () => 0,
    observed: () => {},
    claimed: () => {},
    onError: (what, error) => {
      throw new Error(what, { cause: error });
    },
  });
  watch.start();
  const { isKnown } = await began;
  return { watch, isKnown: isKnown! };
}

describe('the watch of Leases', () => {
  it("need not tell of this node's own renewals, once each", async () => {
    const { watch, isKnown } = await setUp();
    watch.answered(lease('8'));
    watch.answered(lease('9'));
    expect(['7', '8', '9', '9', '10'].map(isKnown)).to.deep.equal([false, true, true, false, false]);
    await watch.stop();
  });

  for (const [what, answer] of [
    ['has another holder', lease('8', 'n2')],
    ['has notes of others', lease('8', 'n1', { [leaseAnnotations.claimedBy]: 'n2' })],
    ['is no newer than what it told', lease('7')],
    ['is of another Lease', { ...lease('8'), metadata: { ...lease('8').metadata, name: 'vr-public-1' } }],
    ['is of a Lease that was made anew', { ...lease('8'), metadata: { ...lease('8').metadata, uid: 'b' } }],
  ] as const) {
    it(`tells of what this node wrote where that ${what}`, async () => {
      const { watch, isKnown } = await setUp();
      watch.answered(answer);
      expect(['7', '8'].map(isKnown)).to.deep.equal([false, false]);
      await watch.stop();
    });
  }
});
