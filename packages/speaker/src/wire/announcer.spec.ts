import { expect } from 'chai';
import { Announcer, defaultAnnouncePlan } from './announcer.js';

/** Runs an announcer as its timer would, and tells when it announced `key`. */
function times(announcer: Announcer, key: string, until: number): number[] {
  const at: number[] = [];
  for (let now = announcer.nextAt; now !== undefined && now <= until; now = announcer.nextAt) {
    if (announcer.due(now).includes(key)) at.push(now);
  }
  return at;
}

describe('announcements', () => {
  it('come at once, again after 50 ms, then after 1, 2 and 4 s, then every minute', () => {
    const announcer = new Announcer();
    announcer.begin('a', 1_000);
    expect(times(announcer, 'a', 130_000)).to.deep.equal([1_000, 1_050, 2_000, 3_000, 5_000, 65_000, 125_000]);
  });

  it('of a thread that was late are made up for once, not in a volley', () => {
    const announcer = new Announcer();
    announcer.begin('a', 0);
    expect(announcer.due(2_500)).to.deep.equal(['a']);
    expect(announcer.due(2_500)).to.deep.equal([]);
    expect(announcer.nextAt).to.equal(4_000);
  });

  it('stop at once when the virtual router is given up', () => {
    const announcer = new Announcer();
    announcer.begin('a', 0);
    announcer.due(0);
    announcer.end('a');
    expect(announcer.nextAt).to.equal(undefined);
    expect(announcer.due(60_000)).to.deep.equal([]);
  });

  it('of several virtual routers do not disturb each other', () => {
    const announcer = new Announcer({ ...defaultAnnouncePlan, burstMs: [0, 100] });
    announcer.begin('a', 0);
    announcer.begin('b', 40);
    expect(announcer.due(0)).to.deep.equal(['a']);
    expect(announcer.due(40)).to.deep.equal(['b']);
    expect(announcer.nextAt).to.equal(100);
    expect(announcer.due(140)).to.deep.equal(['a', 'b']);
  });

  it('begin anew when the virtual router is taken again', () => {
    const announcer = new Announcer();
    announcer.begin('a', 0);
    announcer.due(4_000);
    announcer.begin('a', 10_000);
    expect(times(announcer, 'a', 12_000)).to.deep.equal([10_000, 10_050, 11_000, 12_000]);
  });
});
