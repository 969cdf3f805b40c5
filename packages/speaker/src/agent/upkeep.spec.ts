import { expect } from 'chai';
import { pino } from 'pino';
import { SpeakerMetrics } from '../metrics/metrics.js';
import type { Operations } from './kernel.js';
import { Upkeep, type Wanted } from './upkeep.js';

const nothing = { changed: [], removed: [], addedVips: [], removedVips: [] };

describe('the upkeep of the kernel', () => {
  let done: string[];
  let fails: string | undefined;
  let missing: number;
  let broken: number;
  let upkeep: Upkeep;
  let metrics: SpeakerMetrics;

  beforeEach(() => {
    done = [];
    fails = undefined;
    missing = 3;
    broken = 2;
    metrics = new SpeakerMetrics();
    const step = (name: string, operations: Operations = {}) => {
      if (fails === name) throw new Error(`cannot ${name}`);
      done.push(name);
      return operations;
    };
    upkeep = new Upkeep({
      log: pino({ level: 'silent' }),
      metrics,
      onDoubt: () => done.push('doubt'),
      kernel: {
        unfinished: false,
        setUp: () => void step('set up'),
        sync: () => step('sync', { forwarder: missing }),
        route: () => step('route'),
        uplinks: () => ({}),
        update: () => step('update'),
        reroute: () => step('reroute'),
        follow: () => step('follow'),
        audit: () => step('audit', { director: broken }),
        tend: () => void step('tend'),
      },
    });
  });

  function bringInLine(wanted: Partial<Wanted> = {}) {
    done = [];
    const outcome = upkeep.bringInLine(() => ({
      change: nothing,
      reroute: undefined,
      interfacesChanged: false,
      desired: () => ({ vips: [], virtualServers: [] }),
      tables: () => [],
      uplinks: [],
      ...wanted,
    }));
    return { outcome, done };
  }

  it('tells everything once, then only what changed', () => {
    upkeep.setUp();
    expect(bringInLine()).to.deep.equal({ outcome: { anew: true }, done: ['sync', 'route'] });
    expect(bringInLine()).to.deep.equal({ outcome: { anew: false }, done: ['update'] });
    const reroute = { added: [], removed: [] };
    expect(bringInLine({ reroute, interfacesChanged: true }).done).to.deep.equal(['follow', 'update', 'reroute']);
  });

  it('audits what others may have changed, after it has told what changed, and counts what it repaired', async () => {
    upkeep.setUp();
    bringInLine();
    upkeep.doubt('doubted');
    expect(done.at(-1)).to.equal('doubt');
    expect(bringInLine()).to.deep.equal({ outcome: { anew: true }, done: ['update', 'audit'] });
    expect(bringInLine().done).to.deep.equal(['update']);
    expect(await metrics.registry.metrics()).to.match(/drift_repaired_total\{part="director"\} 2/);
  });

  it('knows since when the kernel is what it should be: long ago, or when it was last mended', () => {
    missing = 0;
    upkeep.setUp();
    expect(upkeep.inLineSince).to.equal(undefined);
    bringInLine();
    expect(upkeep.inLineSince).to.equal(Number.NEGATIVE_INFINITY);
    broken = 0;
    upkeep.doubt('doubted');
    bringInLine();
    expect(upkeep.inLineSince).to.equal(Number.NEGATIVE_INFINITY);
    broken = 1;
    upkeep.doubt('doubted');
    const before = performance.now();
    bringInLine();
    expect(upkeep.inLineSince).to.be.within(before, performance.now());
    fails = 'update';
    bringInLine();
    expect(upkeep.inLineSince).to.equal(undefined);
    fails = undefined;
    const mended = performance.now();
    bringInLine();
    expect(upkeep.inLineSince).to.be.within(mended, performance.now());
  });

  it('sets everything up anew after a failure, at once where an audit could not repair it', () => {
    upkeep.setUp();
    bringInLine();
    fails = 'update';
    expect(bringInLine().outcome).to.deep.equal({ failure: 'cannot update', gone: false, retryMs: 1_000 });
    expect(upkeep.failure).to.equal('cannot update');
    fails = undefined;
    expect(bringInLine().done).to.deep.equal(['set up', 'sync', 'route']);
    expect(upkeep.failure).to.equal(undefined);
    upkeep.doubt('doubted');
    fails = 'audit';
    expect(bringInLine().outcome).to.deep.equal({ failure: 'cannot audit', gone: false, retryMs: 0 });
    fails = undefined;
    expect(bringInLine().done).to.deep.equal(['set up', 'sync', 'route']);
  });

  it('forgets no doubt because of a failure to say what is wanted', () => {
    upkeep.setUp();
    bringInLine();
    const outcome = upkeep.bringInLine(() => {
      throw new RangeError('too many virtual routers');
    });
    expect(outcome).to.deep.include({ failure: 'too many virtual routers', gone: false });
    expect(bringInLine().done).to.deep.equal(['set up', 'sync', 'route']);
  });

  it('says so for as long as there is no way into the director', () => {
    upkeep.setUp();
    bringInLine();
    upkeep.doubt('gone');
    fails = 'set up';
    expect(bringInLine().outcome).to.deep.include({ gone: true });
    upkeep.doubt('doubted');
    expect(bringInLine().outcome).to.deep.include({ gone: true });
    fails = 'route';
    expect(bringInLine().outcome).to.deep.include({ gone: false });
    fails = undefined;
    expect(bringInLine()).to.deep.equal({ outcome: { anew: true }, done: ['set up', 'sync', 'route'] });
    expect(upkeep.inSync).to.equal(true);
  });
});
