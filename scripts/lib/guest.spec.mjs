import { existsSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Failure } from './failure.mjs';
import { hostHasIpvs, runInGuest } from './guest.mjs';
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
});
