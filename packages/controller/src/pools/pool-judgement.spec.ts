import { type AddressPool, parseRange } from '@fairlead/api';
import { expect } from 'chai';
import fc from 'fast-check';
import { Allocator } from '../allocator/allocator.js';
import { mergePatch } from '../model/model-cluster.spec.helpers.js';
import { judgePools } from './pool-judgement.js';
import type { Occupant } from './pool-occupants.js';
import { planPool } from './pool-plan.js';

const NOW = Date.UTC(2026, 0, 3);
const SPACES = [
  '10.0.0.0/29',
  '10.0.0.4/30',
  '10.0.0.8/29',
  '10.0.0.0/28',
  '10.0.0.6-10.0.0.9',
  '2001:db8::/126',
  'nonsense',
];
const occupants: Occupant[] = [{ kind: 'services', name: 'the Service network', range: parseRange('10.0.0.14/31') }];

/** Pools at any point of their lives: their former spec was accepted or not, they are going or not. */
const pool = fc.record({
  addresses: fc.uniqueArray(fc.constantFrom(...SPACES), { minLength: 1, maxLength: 3 }),
  before: fc.option(fc.constantFrom(...SPACES.slice(0, 6))),
  isAccepted: fc.boolean(),
  isGoing: fc.boolean(),
});

const pools = fc.array(pool, { minLength: 1, maxLength: 6 }).map((all) =>
  all.map(({ addresses, before, isAccepted, isGoing }, index): AddressPool => {
    const generation = 2;
    const condition = { type: 'Accepted', status: 'True', reason: 'Accepted', message: '', lastTransitionTime: '' };
    return {
      apiVersion: 'fairlead.dev/v1alpha1',
      kind: 'AddressPool',
      metadata: {
        name: `p${index}`,
        generation,
        resourceVersion: '1',
        finalizers: ['fairlead.dev/address-pool-in-use'],
        creationTimestamp: `2026-01-01T00:00:0${index}Z`,
        ...(isGoing && { deletionTimestamp: '2026-01-02T00:00:00Z' }),
      },
      spec: { addresses: isAccepted && before ? [before] : addresses },
      status: {
        ...(before && { inEffect: { addresses: [before], virtualRouters: 8 } }),
        conditions: isAccepted && before ? [{ ...condition, observedGeneration: generation }] : [],
      },
    } as AddressPool;
  }),
);

describe('judgePools', function () {
  this.timeout(60_000);

  it('judges all the same when what it judged of one has been written, in whatever order', () => {
    fc.assert(
      fc.property(pools, fc.nat(1_000), (start, seed) => {
        let now = start;
        const first = judgePools(now, occupants);
        for (let n = 0; n < now.length; n++) {
          const index = (seed + n * 5) % now.length;
          const object = now[index]!;
          const plan = planPool(object, first.get(object.metadata.name)!, new Allocator(() => NOW), NOW, occupants);
          if (plan?.subresource === 'status') {
            now = now.with(index, mergePatch(object, plan.body) as AddressPool);
          }
          expect(judgePools(now, occupants)).to.deep.equal(first);
        }
      }),
      { numRuns: 500 },
    );
  });
});
