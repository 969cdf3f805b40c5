import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import fc from 'fast-check';
import { Failure } from './failure.mjs';
import { run, runVisibly, searchPath, shellQuote, which } from './process.mjs';

describe('child processes of the scripts', () => {
  it('are seen with their output, their exit code, and the signal that ended them as a shell counts it', async () => {
    const { code, stdout, output } = await run(['sh', '-c', 'echo out; echo err >&2; exit 3']);
    expect({ code, stdout }).to.deep.equal({ code: 3, stdout: 'out\n' });
    expect(output).to.include('err');
    expect((await run(['sh', '-c', 'kill -TERM $$'])).code).to.equal(143);
  });

  it('fail as not found when there is no such program', async () => {
    expect((await run(['fairlead-no-such-program'])).code).to.not.equal(0);
  });

  it('are ended with all that they started when they are out of time', async () => {
    const error = await runVisibly(['sh', '-c', 'sleep 1000 & echo $!; wait'], {
      timeoutMs: 300,
      onOutput: (chunk) => {
        grandchild = Number(chunk.toString());
      },
    }).catch((reason) => reason);
    expect(error).to.be.instanceOf(Failure).with.property('code', 'FL_TIMEOUT');
    expect(await isGone(grandchild)).to.equal(true);
  });
  let grandchild = 0;

  it('do not outlive a parent that was killed', async () => {
    const program = `
      const { start } = await import(${JSON.stringify(new URL('process.mjs', import.meta.url).href)});
      const child = start(['sh', '-c', 'echo $$; exec sleep 1000'], { stdio: ['ignore', 'inherit', 'inherit'] });`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [pid] = await once(/** @type {import('node:stream').Readable} */ (parent.stdout), 'data');
    parent.kill('SIGKILL');
    expect(await isGone(Number(pid))).to.equal(true);
  });

  /** Waits until a process has ended. @param {number} pid */
  async function isGone(pid) {
    for (;;) {
      try {
        if (/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) return true;
      } catch {
        return true;
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
});

describe('the search path', () => {
  it('has the system folders behind the user’s own', () => {
    expect(searchPath('/opt/bin:/usr/sbin')).to.equal('/opt/bin:/usr/sbin:/usr/local/sbin:/sbin');
    expect(searchPath('')).to.equal('/usr/local/sbin:/usr/sbin:/sbin');
  });

  it('finds executable files only', () => {
    expect(which('sh', '/nowhere:/bin')).to.equal('/bin/sh');
    expect(which('passwd', '/etc')).to.equal(undefined);
    expect(which('bin', '/usr')).to.equal(undefined);
  });
});

describe('a quoted word', () => {
  it('comes back from a shell as it was', async () => {
    const words = fc.array(
      fc.string({ unit: 'binary' }).filter((word) => !word.includes('\0')),
      { maxLength: 20 },
    );
    await fc.assert(
      fc.asyncProperty(words, async (list) => {
        const { stdout } = await run(['sh', '-c', `printf '%s\\0' ${list.map(shellQuote).join(' ')}`]);
        expect(stdout.split('\0').slice(0, -1)).to.deep.equal(list.length > 0 ? list : ['']);
      }),
      { numRuns: 25 },
    );
  });
});
