import { expect } from 'chai';
import { directorLink } from '../director/link.js';
import { holdFrames, signFrames, signRules } from './signs.js';

const MAC = '02:fa:1e:ad:4d:03';

describe('signs of life', () => {
  it('name a virtual router and how long they count', () => {
    const frames = signFrames(MAC, [{ index: 0x1_02_03, life: 1 }]);
    const header = `02fa1ead4d03${'020100000000'}88b5`;
    expect(frames.map((frame) => frame.toString('hex'))).to.deep.equal([header + '03020100'.repeat(16)]);
  });

  it('are a frame for sixteen virtual routers, and for each life', () => {
    const signs = Array.from({ length: 40 }, (_, index) => ({ index, life: index % 2 }));
    const told = signFrames(MAC, signs).map((frame) => {
      const indices = Array.from({ length: 16 }, (_, slot) => frame.readUInt32LE(14 + 4 * slot));
      return { life: frame.readUInt8(7), indices: [...new Set(indices)] };
    });
    const those = (life: number) => told.filter((frame) => frame.life === life).flatMap(({ indices }) => indices);
    expect(told.length).to.equal(4);
    for (const life of [0, 1]) {
      expect(those(life)).to.deep.equal(signs.filter((sign) => sign.life === life).map(({ index }) => index));
    }
  });

  it('hold the switch as packets of each protocol that are an IPv6 header', () => {
    const frames = holdFrames(directorLink(), [6, 58]).map((frame) => frame.toString('hex'));
    const [host, director] = ['1', '2'].map((end) => `fe80${'0'.repeat(20)}004d000${end}`);
    expect(frames).to.deep.equal(
      ['06', '3a'].map((next) => `02fa1ead4d0102fa1ead4d0286dd6000fa1e0000${next}ff${director}${host}`),
    );
  });

  it('have a rule for each life', () => {
    const rules = signRules([1_500, 250]);
    expect(rules.map((rule) => rule.match(/timeout \d+ms/g))).to.deep.equal([
      Array.from({ length: 16 }, () => 'timeout 1500ms'),
      Array.from({ length: 16 }, () => 'timeout 250ms'),
    ]);
    expect(rules[1]).to.include('@ll,56,8 1 ').and.to.include('@ll,112,32').and.to.include('@ll,592,32');
  });
});
