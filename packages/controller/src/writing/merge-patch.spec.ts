import { expect } from 'chai';
import fc from 'fast-check';
import { mergePatch } from '../model/model-cluster.spec.helpers.js';
import { isPatched, mergeDiff, sameJson } from './merge-patch.js';

const leaf = fc.oneof(fc.integer({ min: 0, max: 2 }), fc.constantFrom('a', 'b', true));
const json = fc.letrec<Record<'value' | 'object', unknown>>((tie) => ({
  value: fc.oneof({ maxDepth: 3 }, leaf, fc.array(leaf, { maxLength: 2 }), tie('object')),
  object: fc.dictionary(fc.constantFrom('x', 'y', 'z'), tie('value'), { maxKeys: 3 }),
}));
const object = json.object as fc.Arbitrary<Record<string, unknown>>;
const patch = fc.letrec<Record<'value' | 'object', unknown>>((tie) => ({
  value: fc.oneof({ maxDepth: 3 }, leaf, fc.constant(null), fc.array(leaf, { maxLength: 2 }), tie('object')),
  object: fc.dictionary(fc.constantFrom('x', 'y', 'z'), tie('value'), { maxKeys: 2 }),
})).object as fc.Arbitrary<Record<string, unknown>>;

describe('merge patches', () => {
  it('what turns one object into another does', () => {
    fc.assert(
      fc.property(object, object, (before, after) => {
        expect(mergePatch(before, mergeDiff(before, after) ?? {})).to.deep.equal(after);
      }),
    );
  });

  it('knows what was patched from what was not, and from what was changed otherwise', () => {
    fc.assert(
      fc.property(object, patch, object, (before, change, other) => {
        const expected = mergePatch(before, change);
        expect(isPatched(before, change, expected)).to.equal(true);
        expect(isPatched(before, change, other)).to.equal(sameJson(expected, other));
      }),
      { numRuns: 1_000 },
    );
  });

  it('takes any new version for one, and what is undefined for what is not there', () => {
    const before = { metadata: { name: 'a', labels: undefined, resourceVersion: '1' }, spec: { type: undefined } };
    const change = { metadata: { resourceVersion: '1', finalizers: ['f'] } };
    const answer = { metadata: { name: 'a', finalizers: ['f'], resourceVersion: '2', uid: undefined }, spec: {} };
    expect(isPatched(before, change, answer)).to.equal(true);
    expect(isPatched(before, change, { ...answer, spec: { type: 'x' } })).to.equal(false);
  });
});
