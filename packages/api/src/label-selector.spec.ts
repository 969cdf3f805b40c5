import { expect } from 'chai';
import { type LabelSelector, matchesSelector, selectorFault } from './label-selector.js';

describe('matchesSelector', () => {
  const labels = { app: 'web', 'example.org/tier': 'front', empty: '' };
  const cases: [string, LabelSelector, boolean][] = [
    ['nothing asked', {}, true],
    ['a label that is there', { matchLabels: { app: 'web' } }, true],
    ['another value', { matchLabels: { app: 'db' } }, false],
    ['a label that is not there', { matchLabels: { zone: 'a' } }, false],
    ['one of two labels', { matchLabels: { app: 'web', zone: 'a' } }, false],
    ['In with the value', { matchExpressions: [{ key: 'app', operator: 'In', values: ['db', 'web'] }] }, true],
    ['In without the label', { matchExpressions: [{ key: 'zone', operator: 'In', values: [''] }] }, false],
    ['NotIn without the label', { matchExpressions: [{ key: 'zone', operator: 'NotIn', values: ['a'] }] }, true],
    ['NotIn with the value', { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['web'] }] }, false],
    ['Exists, also with an empty value', { matchExpressions: [{ key: 'empty', operator: 'Exists' }] }, true],
    ['Exists without the label', { matchExpressions: [{ key: 'zone', operator: 'Exists' }] }, false],
    ['DoesNotExist', { matchExpressions: [{ key: 'zone', operator: 'DoesNotExist' }] }, true],
    [
      'labels and expressions together',
      { matchLabels: { app: 'web' }, matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['web'] }] },
      false,
    ],
  ];
  for (const [what, selector, expected] of cases) {
    it(`${expected ? 'holds' : 'does not hold'} for ${what}`, () => {
      expect(selectorFault(selector, 'here')).to.equal(undefined);
      expect(matchesSelector(selector, labels)).to.equal(expected);
    });
  }

  it('takes an object without labels for one with none', () => {
    expect(matchesSelector({ matchLabels: { app: 'web' } }, undefined)).to.equal(false);
    expect(matchesSelector({}, undefined)).to.equal(true);
  });
});

describe('selectorFault', () => {
  const cases: [string, unknown, RegExp][] = [
    ['text', 'app=web', /^spec\.x is "app=web"; write an object/],
    ['labels without matchLabels', { app: 'web' }, /^spec\.x\.app means nothing; labels go into spec\.x\.matchLabels/],
    ['a number for a value', { matchLabels: { app: 1 } }, /^spec\.x\.matchLabels: 1 is not the value of a label/],
    ['a bad key', { matchLabels: { 'a b': '' } }, /"a b" is not the key of a label/],
    ['a key with two prefixes', { matchLabels: { 'a/b/c': '' } }, /"a\/b\/c" is not the key/],
    ['a value that is too long', { matchLabels: { app: 'x'.repeat(64) } }, /not the value of a label/],
    ['an unknown operator', { matchExpressions: [{ key: 'a', operator: 'Gt' }] }, /\[0\]: operator is "Gt"; .*NotIn/],
    ['In without values', { matchExpressions: [{ key: 'a', operator: 'In' }] }, /\[0\]: values is empty/],
    ['Exists with values', { matchExpressions: [{ key: 'a', operator: 'Exists', values: ['b'] }] }, /no meaning for/],
    ['expressions that are no list', { matchExpressions: {} }, /matchExpressions is \{\}; write a list/],
  ];
  for (const [what, selector, message] of cases) {
    it(`finds ${what}`, () => {
      expect(selectorFault(selector, 'spec.x')).to.match(message);
    });
  }
});
