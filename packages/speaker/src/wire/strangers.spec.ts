import { expect } from 'chai';
import { Strangers } from './strangers.js';

const [A, B, ELSEWHERE] = [
  { ip: 1, uplink: 'eth0' },
  { ip: 2, uplink: 'eth0' },
  { ip: 3, uplink: 'eth1' },
] as const;

describe('a stranger', () => {
  it('is one only for the VIP that it was heard for', () => {
    const strangers = new Strangers();
    strangers.heard(A.ip, 'stranger');
    expect(strangers.isStranger(A, 'stranger', [A, B])).to.equal(true);
    expect(strangers.isStranger(B, 'stranger', [A, B])).to.equal(false);
    expect(strangers.isStranger(A, 'peer', [A, B])).to.equal(false);
  });

  it('is one only as long as a peer would be told by another VIP on that interface', () => {
    const strangers = new Strangers();
    strangers.heard(A.ip, 'stranger');
    expect(strangers.isStranger(A, 'stranger', [A])).to.equal(false);
    expect(strangers.isStranger(A, 'stranger', [A, ELSEWHERE])).to.equal(false);
    strangers.heard(B.ip, 'another');
    expect(strangers.isStranger(A, 'stranger', [A, B])).to.equal(false);
    strangers.forget(B.ip);
    expect(strangers.isStranger(A, 'stranger', [A, B])).to.equal(true);
  });

  it('that answers from several interfaces is known by each, but not more than eight', () => {
    const strangers = new Strangers();
    for (let n = 0; n < 8; n++) strangers.heard(A.ip, `${n}`);
    strangers.heard(A.ip, '0');
    strangers.heard(A.ip, '8');
    const known = [...'012345678'].filter((mac) => strangers.isStranger(A, mac, [A, B]));
    expect(known).to.deep.equal([...'02345678']);
  });
});
