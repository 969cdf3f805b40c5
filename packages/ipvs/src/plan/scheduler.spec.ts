import { expect } from 'chai';
import { DEFAULT_SCHEDULER, parseScheduler } from './scheduler.js';

describe('the text that chooses a scheduler', () => {
  for (const name of ['rr', 'wrr', 'lc', 'wlc', 'dh', 'sed', 'nq']) {
    it(`is its name: ${name}`, () => expect(parseScheduler(name)).to.deep.equal({ name }));
  }

  it('has flags after commas, which come out in order and each once', () => {
    expect(parseScheduler(' mh , mh-port,mh-fallback, mh-port')).to.deep.equal({
      name: 'mh',
      flags: ['mh-fallback', 'mh-port'],
    });
    expect(parseScheduler('sh,sh-port')).to.deep.equal({ name: 'sh', flags: ['sh-fallback', 'sh-port'] });
  });

  it('means the fallback flag where there is one, so that no client of a draining real server is refused', () => {
    expect(parseScheduler('mh')).to.deep.equal({ name: 'mh', flags: ['mh-fallback'] });
    expect(parseScheduler('sh')).to.deep.equal({ name: 'sh', flags: ['sh-fallback'] });
  });

  for (const [text, says] of [
    ['', '"" is not one of the schedulers rr, wrr'],
    ['round-robin', '"round-robin" is not one of the schedulers'],
    ['WRR', '"WRR"'],
    ['rr,mh-port', '"mh-port" is not a flag of the scheduler rr: rr has none'],
    ['mh,sh-port', '"sh-port" is not a flag of the scheduler mh: its flags are mh-fallback and mh-port'],
    ['mh,', '"" is not a flag'],
    ['constructor', '"constructor" is not one of'],
  ] as const) {
    it(`is refused: "${text}"`, () => {
      const parsed = parseScheduler(text);
      expect('wrong' in parsed && parsed.wrong).to.contain(says);
    });
  }

  it('is by default one that knows weights', () => {
    expect(parseScheduler(DEFAULT_SCHEDULER)).to.deep.equal({ name: 'wrr' });
  });
});
