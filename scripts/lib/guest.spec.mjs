import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Failure } from './failure.mjs';
import { hostHasIpvs, runInGuest } from './guest.mjs';
import { ensureCommands } from './packages.mjs';
import { searchPath, shellQuote, which } from './process.mjs';
import { root } from './tree.mjs';

describe('the guest', function () {
  this.timeout(300_000);
  /** @type {string} */ let outDir;
  before(async function () {
    // Where tests with ip_vs run directly, nothing depends on it, and QEMU need not be there.
    if (await hostHasIpvs()) this.skip();
  });
  beforeEach(() => {
    outDir = mkdtempSync(join(tmpdir(), 'fairlead spec-'));
  });
  afterEach(() => rmSync(outDir, { recursive: true }));

  /** @param {string} script @param {Partial<import('./guest.mjs').GuestOptions>} [options] */
  async function sh(script, options) {
    const text = { stdout: '', stderr: '' };
    const { code } = await runInGuest({
      argv: ['sh', '-c', script],
      outDir,
      onOutput: (chunk, stream) => {
        text[stream] += chunk;
      },
      ...options,
    });
    return { code, ...text };
  }

  it('runs a command in the tree, on a kernel with ip_vs, and brings everything back', async () => {
    const script = `
      pwd; echo "$WORD"; echo problem >&2; id -u; cat /proc/net/ip_vs | wc -l
      nft add table ip x && nft list tables; ip netns add q && ls /run/netns
      touch tree-is-untouched; test -e "$HIDDEN" || echo hidden; ping -c 1 -W 5 127.0.0.1 >/dev/null && echo lo is up
      head -c 3000000 /dev/zero | tr '\\0' x; sleep 1000 &
      echo '{"a":1}' > "$OUT/result.json"; exit 7`;
    const word = `a "b" 'c' $d\n`;
    const hidden = mkdtempSync('/tmp/fairlead-spec-');
    const { code, stdout, stderr } = await sh(script, { env: { WORD: word, OUT: outDir, HIDDEN: hidden } });
    rmdirSync(hidden);
    expect(stderr).to.equal('problem\n');
    expect(code).to.equal(7);
    const inside = [root, word, '0', '3', 'table ip x', 'q', 'hidden', 'lo is up'].join('\n');
    expect(stdout.slice(0, -3_000_000)).to.equal(`${inside}\n`);
    expect(stdout.slice(-3_000_000)).to.equal('x'.repeat(3_000_000));
    expect(readFileSync(join(outDir, 'result.json'), 'utf8')).to.equal('{"a":1}\n');
    expect(existsSync(join(root, 'tree-is-untouched'))).to.equal(false);
  });

  it('tells the kernel’s last words when it dies, and leaves nothing behind', async () => {
    const usual = process.env.TMPDIR;
    process.env.TMPDIR = outDir;
    const error = await sh('echo c > /proc/sysrq-trigger; sleep 1000', { outDir: undefined }).catch((reason) => reason);
    if (usual === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = usual;
    expect(error).to.be.instanceOf(Failure).with.property('code', 'FL_GUEST_DIED');
    expect(error.message).to.include('sysrq triggered crash');
    expect(readdirSync(outDir)).to.deep.equal([]);
  });

  it('is ended when its command takes too long', async () => {
    const error = await sh('sleep 1000', { timeoutMs: 500 }).catch((reason) => reason);
    expect(error).to.be.instanceOf(Failure).with.property('code', 'FL_GUEST_TIMEOUT');
    expect(error.message).to.include('sleep 1000');
  });

  describe('with a QEMU that crashes', () => {
    /** @type {string} */ let folder;
    /** @type {NodeJS.ProcessEnv} */ let usual;
    /** @type {typeof process.stderr.write} */ let write;
    /** @type {string} */ let said;
    before(() => ensureCommands(['qemu-system-x86_64'], 'to boot the guest'));
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'fairlead-spec-'));
      mkdirSync(join(folder, 'tmp'));
      usual = { ...process.env };
      // Not the trial of KVM, whose result would be kept.
      Object.assign(process.env, {
        PATH: `${folder}:${searchPath()}`,
        TMPDIR: join(folder, 'tmp'),
        FAIRLEAD_ACCEL: 'tcg',
      });
      said = '';
      write = process.stderr.write;
      process.stderr.write = (/** @type {string | Uint8Array} */ text) => {
        said += text;
        return true;
      };
    });
    afterEach(() => {
      process.stderr.write = write;
      for (const name of ['PATH', 'TMPDIR', 'FAIRLEAD_ACCEL']) delete process.env[name];
      Object.assign(process.env, usual);
      rmSync(folder, { recursive: true });
    });

    /** Puts a script before QEMU, which it becomes in the end. @param {string} script in its control folder */
    function wrapQemu(script) {
      const qemu = shellQuote(which('qemu-system-x86_64') ?? '');
      const boots = shellQuote(join(folder, 'boots'));
      const lines = [
        '#!/bin/sh',
        'ulimit -c 0',
        `pwd >>${boots}`,
        `boots=$(wc -l <${boots})`,
        script,
        `exec ${qemu} "$@"`,
      ];
      writeFileSync(join(folder, 'qemu-system-x86_64'), `${lines.join('\n')}\n`, { mode: 0o755 });
    }

    /** @returns {string[]} the control folder of every boot */
    function boots() {
      return readFileSync(join(folder, 'boots'), 'utf8').trim().split('\n');
    }

    /** @returns {string[]} what was said of crashes: a kernel may have been downloaded, too */
    function crashesSaid() {
      return said.split('\n').filter((line) => line.includes('crashed'));
    }

    it('boots again, visibly and from scratch, when it crashes before the command was started', async () => {
      wrapQemu('case $boots in 1) echo 5 >litter; kill -FPE $$ ;; 2) kill -ABRT $$ ;; esac');
      const { code, stdout, stderr } = await sh('ls /run/fairlead-guest; echo run >>"$OUT/runs"; exit 3', {
        env: { OUT: outDir },
      });
      expect({ code, stderr }).to.deep.equal({ code: 3, stderr: '' });
      expect(stdout).to.include('started').and.not.include('litter');
      expect(readFileSync(join(outDir, 'runs'), 'utf8')).to.equal('run\n');
      expect(new Set(boots())).to.have.property('size', 3);
      expect(readdirSync(join(folder, 'tmp'))).to.deep.equal([]);
      expect(crashesSaid()).to.have.length(2);
      expect(crashesSaid()[0]).to.match(/^QEMU itself crashed \(SIGFPE\).*boot 2 of 3/);
      expect(crashesSaid()[1]).to.match(/^QEMU itself crashed \(SIGABRT\).*boot 3 of 3/);
    });

    it('gives up after three crashes and says whose fault that is and what to do', async () => {
      wrapQemu(
        'echo "complaint $boots" >&2; case $boots in 1) kill -ILL $$ ;; 2) kill -BUS $$ ;; *) kill -SEGV $$ ;; esac',
      );
      const error = await sh('true').catch((reason) => reason);
      expect(error).to.be.instanceOf(Failure).with.property('code', 'FL_GUEST_DIED');
      expect(error.message).to.include('QEMU itself crashed 3 times').and.include('(SIGILL, SIGBUS, SIGSEGV)');
      expect(error.message).to.include('FAIRLEAD_ACCEL=kvm').and.include('complaint 3');
      expect(error.message).not.to.include('something else');
      expect(boots()).to.have.length(3);
      expect(readdirSync(join(folder, 'tmp'))).to.deep.equal([]);
    });

    it('does not run a command again that was started', async () => {
      wrapQemu('(while kill -0 $$ && ! [ -e started ]; do sleep 0.02; done; kill -SEGV $$) >/dev/null 2>&1 &');
      let starts = 0;
      const onStarted = () => {
        starts++;
      };
      const error = await sh('sleep 1000', { onStarted }).catch((reason) => reason);
      expect(error).to.be.instanceOf(Failure).with.property('code', 'FL_GUEST_DIED');
      expect(error.message).to.include('QEMU itself crashed (SIGSEGV) after the command was started');
      expect(error.message).to.include('FAIRLEAD_ACCEL').and.not.include('something else');
      expect({ boots: boots().length, starts, said: crashesSaid() }).to.deep.equal({ boots: 1, starts: 1, said: [] });
    });

    it('takes a command for started that was so at the last moment', async () => {
      wrapQemu(': >started; kill -SEGV $$');
      const error = await sh('true').catch((reason) => reason);
      expect(error.message).to.include('QEMU itself crashed (SIGSEGV) after the command was started');
      expect(boots()).to.have.length(1);
    });

    for (const signal of ['SIGKILL', 'SIGTERM']) {
      it(`does not take ${signal} for a crash`, async () => {
        wrapQemu(`kill -${signal.slice(3)} $$`);
        const error = await sh('true').catch((reason) => reason);
        expect(error).to.be.instanceOf(Failure).with.property('code', 'FL_GUEST_DIED');
        expect(error.message).to.include(`was ended by ${signal}, which something else sent to QEMU`);
        expect(boots()).to.have.length(1);
      });
    }
  });
});
