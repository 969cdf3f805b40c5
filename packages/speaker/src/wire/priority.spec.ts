import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { expect } from 'chai';

/** Fields 19, 40 and 41 of proc(5)'s stat, counted behind the name in brackets. */
const schedulingIn = (stat: string) => {
  const fields = stat.split(') ').at(-1)!.split(' ').map(Number);
  return { nice: fields[16]!, realTimePriority: fields[37]!, policy: fields[38]! };
};
const SCHED_FIFO = 1;

describe('the priority of the wire thread', function () {
  this.timeout(20_000); // a thread and a program are started

  /** `tell` is called with why, and with how the thread is scheduled. */
  const programFor = (tell: string) => `
    const { readFileSync } = require('node:fs');
    import(${JSON.stringify(new URL('priority.js', import.meta.url).href)}).then(({ goFirst }) => {
      const why = goFirst();
      (${tell})({ why, stat: readFileSync('/proc/thread-self/stat', 'utf8') });
    });`;

  it('is its own alone, or it says why it has none', async function () {
    if (availableParallelism() === 1) this.skip();
    const own = () => schedulingIn(readFileSync('/proc/self/stat', 'utf8'));
    const before = own();
    const program = programFor("(told) => require('node:worker_threads').parentPort.postMessage(told)");
    const worker = new Worker(program, { eval: true });
    const [{ why, stat }] = (await once(worker, 'message')) as [{ why?: string; stat: string }];
    await worker.terminate();
    const expected = why?.startsWith('the wire thread waits its turn') ? before.nice : -10;
    if (why === undefined)
      expect(schedulingIn(stat)).to.deep.equal({ nice: expected, realTimePriority: 1, policy: SCHED_FIFO });
    else expect(schedulingIn(stat)).to.deep.equal({ ...before, nice: expected });
    expect(own()).to.deep.equal(before);
  });

  it('is none of real time where there is but one processor, which V8’s helpers need as well', () => {
    const [first] = /^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))!.slice(1);
    const argv = [
      '--cpu-list',
      first!,
      process.execPath,
      '--eval',
      programFor('(told) => console.log(JSON.stringify(told))'),
    ];
    const { stat } = JSON.parse(execFileSync('taskset', argv, { encoding: 'utf8' })) as { stat: string };
    expect(schedulingIn(stat).policy).to.not.equal(SCHED_FIFO);
  });
});
