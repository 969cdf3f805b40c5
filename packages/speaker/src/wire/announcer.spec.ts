import { expect } from 'chai';
import { Announcer, announcePlan, defaultAnnouncePlan } from './announcer.js';

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

  it('come as the pool wants them, and only once where it wants neither repeats nor a refresh', () => {
    const announcer = new Announcer();
    announcer.begin('a', 0, announcePlan({ repeatAfterMilliseconds: [10, 500], refreshSeconds: 7 }));
    announcer.begin('b', 0, announcePlan({ repeatAfterMilliseconds: [], refreshSeconds: 0 }));
    expect(announcer.due(0)).to.deep.equal(['a', 'b']);
    expect(times(announcer, 'a', 15_000)).to.deep.equal([10, 500, 7_500, 14_500]);
    announcer.end('a');
    expect(announcer.nextAt).to.equal(undefined);
  });

  it('of one burst alone end with it, and leave nothing behind', () => {
    const announcer = new Announcer();
    announcer.burst('a', 0);
    expect(times(announcer, 'a', 600_000)).to.deep.equal([0, 50, 1_000, 2_000, 4_000]);
    expect([...announcer.keys()]).to.deep.equal([]);
  });

  describe('whose settings are changed', () => {
    const plan = (repeatAfterMilliseconds: number[], refreshSeconds: number) =>
      announcePlan({ repeatAfterMilliseconds, refreshSeconds });
    /** Begun at 0 by the default plan; changed at `at`. */
    function changed(at: number, to: ReturnType<typeof plan>, until: number): number[] {
      const announcer = new Announcer();
      announcer.begin('a', 0);
      for (let now = announcer.nextAt; now !== undefined && now <= at; now = announcer.nextAt) announcer.due(now);
      announcer.change('a', at, to);
      return times(announcer, 'a', until);
    }

    it('go on with what is left of the new burst, and no burst anew', () => {
      expect(changed(60, plan([20, 40, 300], 60), 70_000)).to.deep.equal([300, 60_300]);
      expect(changed(4_500, plan([10, 20], 60), 70_000)).to.deep.equal([64_000]);
    });

    it('are refreshed at the new pace, counted from the last one', () => {
      expect(changed(10_000, plan([], 30), 70_000)).to.deep.equal([34_000, 64_000]);
      expect(changed(50_000, plan([], 10), 70_000)).to.deep.equal([50_000, 60_000, 70_000]);
    });

    it('are no longer refreshed, and are again when that is switched on again', () => {
      expect(changed(10_000, plan([], 0), 600_000)).to.deep.equal([]);
      const announcer = new Announcer();
      announcer.begin('a', 0, plan([], 0));
      announcer.due(0);
      announcer.change('a', 100_000, plan([], 60));
      expect(times(announcer, 'a', 170_000)).to.deep.equal([100_000, 160_000]);
    });

    it('keep the announcement of a takeover that is just to be sent', () => {
      const announcer = new Announcer();
      announcer.begin('a', 0);
      announcer.change('a', 5, plan([], 0));
      expect(times(announcer, 'a', 60_000)).to.deep.equal([0]);
    });
  });
});
