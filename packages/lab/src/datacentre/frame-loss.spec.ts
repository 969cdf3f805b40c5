import { expect } from 'chai';
import { frameLossRules } from './frame-loss.js';

describe('the rules by which a switch loses frames', () => {
  it('are by direction and share, and none where nothing is lost', () => {
    const rules = frameLossRules(
      new Map([
        ['n1', { sent: 1 }],
        ['n2', { sent: 0.2, received: 0.05 }],
      ]),
    );
    expect(rules.match(/^.*drop$/gm)?.map((line) => line.trim())).to.deep.equal([
      'iifname "n1" drop',
      'iifname "n2" numgen random mod 1000 < 200 drop',
      'oifname "n2" numgen random mod 1000 < 50 drop',
    ]);
    expect(frameLossRules(new Map([['n1', {}]]))).to.not.include('chain');
  });

  it('refuses what is no share', () => {
    expect(() => frameLossRules(new Map([['n1', { sent: 20 }]]))).to.throw('a share of frames is 0 to 1, not 20');
  });
});
