import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { expect } from 'chai';

/** The 19th field of proc(5)'s stat, after the name in brackets. */
const niceOf = (path: string) => Number(readFileSync(`${path}/stat`, 'utf8').split(') ').at(-1)!.split(' ')[16]);

describe('the priority of the wire thread', () => {
  it('is its own alone, or it says why it has none', async () => {
    const before = niceOf('/proc/self');
    const program = `
      const { parentPort } = require('node:worker_threads');
      const { readFileSync } = require('node:fs');
      import(${JSON.stringify(new URL('priority.js', import.meta.url).href)}).then(({ goFirst }) => {
        const why = goFirst()?.message;
        const nice = readFileSync('/proc/thread-self/stat', 'utf8').split(') ').at(-1).split(' ')[16];
        parentPort.postMessage({ why, nice: Number(nice) });
      });`;
    const worker = new Worker(program, { eval: true });
    const [{ why, nice }] = (await once(worker, 'message')) as [{ why?: string; nice: number }];
    await worker.terminate();
    if (why === undefined) expect(nice).to.equal(-10);
    else
      expect([why.includes('setpriority') || why.includes('EACCES') || why.includes('EPERM'), nice]).to.deep.equal([
        true,
        before,
      ]);
    expect(niceOf('/proc/self')).to.equal(before);
  });
});
