import { once } from 'node:events';
import { readFileSync } from 'node:fs';
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

  it('is its own alone, or it says why it has none', async () => {
    const own = () => schedulingIn(readFileSync('/proc/self/stat', 'utf8'));
    const before = own();
    const program = `
      const { parentPort } = require('node:worker_threads');
      const { readFileSync } = require('node:fs');
      import(${JSON.stringify(new URL('priority.js', import.meta.url).href)}).then(({ goFirst }) => {
        const why = goFirst();
        parentPort.postMessage({ why, stat: readFileSync('/proc/thread-self/stat', 'utf8') });
      });`;
    const worker = new Worker(program, { eval: true });
    const [{ why, stat }] = (await once(worker, 'message')) as [{ why?: string; stat: string }];
    await worker.terminate();
    const expected = why?.startsWith('the wire thread waits its turn') ? before.nice : -10;
    if (why === undefined)
      expect(schedulingIn(stat)).to.deep.equal({ nice: expected, realTimePriority: 1, policy: SCHED_FIFO });
    else expect(schedulingIn(stat)).to.deep.equal({ ...before, nice: expected });
    expect(own()).to.deep.equal(before);
  });
});
