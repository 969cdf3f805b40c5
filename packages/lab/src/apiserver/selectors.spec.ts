import { expect } from 'chai';
import { ApiError } from './errors.js';
import { matchesFields, matchesLabels, parseFieldSelector, parseLabelSelector } from './selectors.js';

describe('label selectors', () => {
  const labels = { app: 'web', tier: 'front', weight: '10', 'example.com/zone': 'a', empty: '' };

  for (const [selector, expected] of [
    ['', true],
    ['app=web', true],
    ['app==web', true],
    ['app = web', true],
    ['app=api', false],
    ['app!=api', true],
    ['app!=web', false],
    ['missing!=web', true],
    ['app', true],
    ['missing', false],
    ['!missing', true],
    ['!app', false],
    ['app in (web, api)', true],
    ['app in (api)', false],
    ['app notin (web,api)', false],
    ['missing notin (web)', true],
    ['weight>9,weight<11', true],
    ['weight>10', false],
    ['app>1', false],
    ['example.com/zone=a,tier in (front,back),!gone', true],
    ['empty=', true],
    ['app=web,tier=back', false],
  ] as const) {
    it(`"${selector}" ${expected ? 'selects' : 'leaves out'} the object`, () => {
      expect(matchesLabels(parseLabelSelector(selector), labels)).to.equal(expected);
    });
  }

  it('are false for every key of an object without labels', () => {
    expect(matchesLabels(parseLabelSelector('app'), undefined)).to.equal(false);
    expect(matchesLabels(parseLabelSelector('!app'), undefined)).to.equal(true);
  });

  for (const selector of [
    'app=web=x',
    'a b',
    'app in web',
    '-app',
    'app=-',
    ',',
    'app=web,',
    'weight>x',
    'app in (a',
  ]) {
    it(`"${selector}" is refused`, () => {
      expect(() => parseLabelSelector(selector))
        .to.throw(ApiError, /^unable to parse requirement/)
        .with.property('code', 400);
    });
  }
});

describe('field selectors', () => {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'a,b', namespace: 'default' },
    spec: { nodeName: 'n1' },
    status: { phase: 'Running' },
  };
  const supported = ['spec.nodeName', 'status.phase', 'spec.hostNetwork'];

  for (const [selector, expected] of [
    ['', true],
    ['spec.nodeName=n1', true],
    ['spec.nodeName==n1', true],
    ['spec.nodeName!=n1', false],
    ['spec.nodeName=', false],
    ['status.phase!=Pending,metadata.namespace=default', true],
    ['metadata.name=a\\,b', true],
    ['spec.hostNetwork=false', true],
  ] as const) {
    it(`"${selector}" ${expected ? 'selects' : 'leaves out'} the object`, () => {
      expect(matchesFields(parseFieldSelector(selector, supported), pod)).to.equal(expected);
    });
  }

  it('name only fields that the resource supports', () => {
    expect(() => parseFieldSelector('spec.foo=x', supported)).to.throw(ApiError, 'field label not supported: spec.foo');
    expect(() => parseFieldSelector('spec.nodeName', supported)).to.throw(ApiError, /invalid field selector/);
  });
});
