import { expect } from 'chai';
import { isDedicated, type PoolAudience, refusedBy } from './pool-admission.js';

const applicant = { namespace: 'shop', namespaceLabels: { team: 'red' }, labels: { tier: 'front' } };
const team = (value: string) => ({ matchLabels: { team: value } });

describe('who may use a pool', () => {
  const cases: [string, PoolAudience, 'namespace' | 'service' | undefined][] = [
    ['everybody, when it says nothing', {}, undefined],
    ['a listed namespace', { namespaces: ['mail', 'shop'] }, undefined],
    ['no other namespace', { namespaces: ['mail'] }, 'namespace'],
    ['a selected namespace', { namespaceSelector: team('red') }, undefined],
    ['a namespace that is listed or selected', { namespaces: ['mail'], namespaceSelector: team('red') }, undefined],
    ['nobody, when the selector matches nothing', { namespaceSelector: team('blue') }, 'namespace'],
    ['any namespace, when the selector is empty', { namespaceSelector: {} }, undefined],
    ['a selected Service', { serviceSelector: { matchLabels: { tier: 'front' } } }, undefined],
    ['no other Service', { serviceSelector: { matchLabels: { tier: 'back' } } }, 'service'],
    [
      'nobody that satisfies one of two rules only',
      { namespaces: ['mail'], serviceSelector: { matchLabels: { tier: 'front' } } },
      'namespace',
    ],
  ];
  for (const [what, audience, expected] of cases) {
    it(`is ${what}`, () => {
      expect(refusedBy(audience, applicant)).to.equal(expected);
      expect(isDedicated(audience)).to.equal(Object.keys(audience).length > 0);
    });
  }

  it('is not a namespace whose labels are not known', () => {
    expect(refusedBy({ namespaceSelector: team('red') }, { ...applicant, namespaceLabels: undefined })).to.equal(
      'namespace',
    );
  });
});
