import { KubeError } from '@fairlead/kube';
import { expect } from 'chai';
import { pino } from 'pino';
import { WatchTrouble } from './watch-trouble.js';

describe('trouble with watches', () => {
  let now: number;
  let lines: { msg: string; code?: string; err?: { stack: string } }[];
  let trouble: WatchTrouble;
  const away = new KubeError({ code: 'FL_KUBE_NETWORK', message: 'GET /x: no answer' });
  const unknown = new KubeError({ code: 'FL_KUBE_NOT_FOUND', message: 'GET /y: 404' });

  beforeEach(() => {
    now = 1_000;
    lines = [];
    const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
    trouble = new WatchTrouble(log, () => now);
  });

  it('is told once a minute, for each resource and kind of failure', () => {
    for (let second = 0; second < 60; second++, now += 1_000) {
      trouble.heard(away, 'nodes');
      trouble.heard(away, 'services');
      if (second > 30) trouble.heard(unknown, 'nodes');
    }
    expect(lines.map(({ msg }) => msg)).to.deep.equal([
      'watching nodes failed, trying again: GET /x: no answer',
      'watching services failed, trying again: GET /x: no answer',
      'watching nodes failed, trying again: GET /y: 404',
    ]);
    trouble.heard(away, 'nodes');
    expect(lines).to.have.length(4);
  });

  it('says what to do where the CRD is missing', () => {
    trouble.heard(unknown, 'addresspools');
    expect(lines[0]!.msg).to.contain('apply deploy/crd.yaml');
  });

  it('has the stack of what nobody has foreseen, and of nothing else', () => {
    trouble.heard(away, 'nodes');
    trouble.heard(new TypeError('x is not a function'), 'nodes');
    expect(lines.map(({ err }) => err !== undefined)).to.deep.equal([false, true]);
    expect(lines[0]!.code).to.equal('FL_KUBE_NETWORK');
  });
});
