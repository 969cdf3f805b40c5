import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect } from 'chai';
import { becomeSole } from './sole-speaker.js';

const module = JSON.stringify(new URL('./sole-speaker.js', import.meta.url).href);

describe('the sole speaker of a host', function () {
  this.timeout(60_000); // processes, on a machine that may be busy
  let other: ChildProcess | undefined;
  afterEach(() => other?.kill('SIGKILL'));

  const name = (text: string) => `\0fairlead-spec-${process.pid}-${text}`;
  const never = () => {
    throw new Error('there is nobody to wait for');
  };

  it('waits for another one, and is told at once when that is killed', async () => {
    const code = `(await import(${module})).becomeSole(() => {}, ${JSON.stringify(name('killed'))}).then(() => console.log('sole'));
      setInterval(() => {}, 1e6)`;
    other = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(other.stdout!, 'data');
    let waits = 0;
    const sole = becomeSole(() => {
      waits += 1;
      other!.kill('SIGKILL');
    }, name('killed'));
    (await sole).close();
    expect(waits).to.equal(1);
  });

  it('gives its place up when it is closed', async () => {
    (await becomeSole(never, name('closed'))).close();
    (await becomeSole(never, name('closed'))).close();
  });

  it('is one among any number that wait', async () => {
    const first = await becomeSole(never, name('many'));
    let alone = 0;
    const others = [1, 2, 3].map(async () => {
      const sole = await becomeSole(() => {}, name('many'));
      alone += 1;
      expect(alone).to.equal(1);
      await new Promise(setImmediate);
      alone -= 1;
      sole.close();
    });
    first.close();
    await Promise.all(others);
  });
});
