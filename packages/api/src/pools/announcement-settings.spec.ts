import { expect } from 'chai';
import { type AnnouncementSettings, announcementSettingsOf, DEFAULT_ANNOUNCEMENT } from './announcement-settings.js';
import { announcementSpecOf, parseAnnouncement } from './parse-announcement.js';

function refusal(announcement: unknown): string {
  try {
    announcementSettingsOf({ announcement });
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('it was accepted');
}

describe('the announcement settings of a pool', () => {
  it('are those that the documentation names where a pool says nothing', () => {
    for (const spec of [{}, { announcement: null }, { announcement: {} }]) {
      expect(announcementSettingsOf(spec)).to.deep.equal({
        repeatAfterMilliseconds: [50, 1_000, 2_000, 4_000],
        refreshSeconds: 60,
        arpForms: ['Request', 'Reply'],
      });
    }
  });

  it('are taken one by one, and may be none at all', () => {
    const of = (announcement: Partial<AnnouncementSettings>) => announcementSettingsOf({ announcement });
    expect(of({ refreshSeconds: 0 })).to.deep.equal({ ...DEFAULT_ANNOUNCEMENT, refreshSeconds: 0 });
    expect(of({ repeatAfterMilliseconds: [] }).repeatAfterMilliseconds).to.deep.equal([]);
    expect(of({ repeatAfterMilliseconds: [1, 60_000] }).repeatAfterMilliseconds).to.deep.equal([1, 60_000]);
    expect(of({ arpForms: ['Reply'] }).arpForms).to.deep.equal(['Reply']);
  });

  it('stand in the status as far as they are not the defaults, and are read from there', () => {
    const inEffect = (announcement: object) => announcementSpecOf(parseAnnouncement({ announcement }));
    expect(inEffect(DEFAULT_ANNOUNCEMENT)).to.not.have.property('announcement');
    for (const announcement of [{ refreshSeconds: 5 }, { repeatAfterMilliseconds: [7], arpForms: ['Request'] }]) {
      expect(inEffect(announcement).announcement).to.deep.equal(announcement);
      expect(parseAnnouncement({ ...inEffect(announcement) }).announcement).to.deep.equal({
        ...DEFAULT_ANNOUNCEMENT,
        ...announcement,
      });
    }
  });

  const bad: [string, unknown, RegExp][] = [
    ['text', 'often', /spec\.announcement is "often"; write its fields, as in/],
    ['an unknown field', { refresh: 5 }, /announcement\.refresh means nothing; write repeatAfterMilliseconds, refre/],
    ['a number for repeats', { repeatAfterMilliseconds: 50 }, /Milliseconds is 50; write a list, such as \[50, 1000\]/],
    ['too many repeats', { repeatAfterMilliseconds: Array.from({ length: 9 }, (_, n) => n + 1) }, /9 entries, at m/],
    ['a repeat at once', { repeatAfterMilliseconds: [0, 50] }, /\[0\] is 0; .*1 to 60000 \(what is to come at once/],
    ['half a millisecond', { repeatAfterMilliseconds: [0.5] }, /\[0\] is 0\.5; write a whole number/],
    ['text for a repeat', { repeatAfterMilliseconds: ['50'] }, /\[0\] is "50"; write a whole number/],
    ['a repeat after a minute', { repeatAfterMilliseconds: [60_001] }, /from 1 to 60000/],
    ['repeats out of order', { repeatAfterMilliseconds: [50, 20] }, /\[1\] is 20, which is not after the 50 before/],
    ['a repeat twice', { repeatAfterMilliseconds: [50, 50] }, /\[1\] is 50, which is not after the 50/],
    ['a negative refresh', { refreshSeconds: -1 }, /announcement\.refreshSeconds is -1; write .*0 to 86400, or .* 60/],
    ['no form', { arpForms: [] }, /arpForms is \[\]; write one or both of Request, Reply/],
    ['a form twice', { arpForms: ['Reply', 'Reply'] }, /arpForms is \["Reply","Reply"\]; write one or both/],
    ['an unknown form', { arpForms: ['Probe'] }, /arpForms is \["Probe"\]/],
    ['text for forms', { arpForms: 'Reply' }, /arpForms is "Reply"/],
  ];
  for (const [what, announcement, message] of bad) {
    it(`are refused with ${what}`, () => {
      expect(refusal(announcement)).to.match(message);
    });
  }
});
