import { expect } from 'chai';
import { directorLink } from '../director/link.js';
import { holdFrames, signFrames, signRules } from './signs.js';

const MAC = '02:fa:1e:ad:4d:03';

describe('signs of life', () => {
  it('name a virtual router and how long they count', () => {
    const frames = signFrames(MAC, 1, [0x1_02_03]);
    const header = `02fa1ead4d03${'020100000000'}88b5`;
    expect(frames.map((frame) => frame.toString('hex'))).to.deep.equal([header + '03020100'.repeat(16)]);
  });

  it('are a frame for sixteen virtual routers', () => {
    const indices = Array.from({ length: 40 }, (_, index) => index);
    const told = signFrames(MAC, 0, indices).map((frame) =>
      Array.from({ length: 16 }, (_, slot) => frame.readUInt32LE(14 + 4 * slot)),
    );
    expect(told.length).to.equal(3);
    expect([...new Set(told.flat())]).to.deep.equal(indices);
  });

  it('hold the switch as packets of each protocol that are an IPv6 header', () => {
    const frames = holdFrames(directorLink(), [6, 58]).map((frame) => frame.toString('hex'));
    const [host, director] = ['1', '2'].map((end) => `fe80${'0'.repeat(20)}004d000${end}`);
    expect(frames).to.deep.equal(
      ['06', '3a'].map((next) => `02fa1ead4d0102fa1ead4d0286dd6000fa1e0000${next}ff${director}${host}`),
    );
  });

  it('have a rule for each life', () => {
    const rules = signRules([
      { aliveMs: 1_500, everyMs: 500 },
      { aliveMs: 250, everyMs: 100 },
    ]);
    expect(rules.map((rule) => rule.match(/timeout \d+ms/g))).to.deep.equal([
      Array.from({ length: 16 }, () => 'timeout 1500ms'),
      Array.from({ length: 16 }, () => 'timeout 250ms'),
    ]);
    expect(rules[1]).to.include('@ll,56,8 1 ').and.to.include('@ll,112,32').and.to.include('@ll,592,32');
  });
});
