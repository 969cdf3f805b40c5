/** The install script, run on a copy of the package. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

describe('build.mjs', function () {
  this.timeout(120_000); // a compiler runs
  const root = fileURLToPath(new URL('..', import.meta.url));
  let copy: string;
  let addon: string;
  before(() => {
    copy = mkdtempSync(join(tmpdir(), 'fl-raw-socket-'));
    addon = join(copy, 'build/Release/raw_socket.node');
    for (const name of ['native', 'build.mjs', 'package.json']) {
      cpSync(join(root, name), join(copy, name), { recursive: true, preserveTimestamps: true });
    }
  });
  after(() => rmSync(copy, { recursive: true }));

  function build(environment: NodeJS.ProcessEnv = {}, node = process.execPath) {
    const env = { ...process.env, ...environment };
    const { status, stdout, stderr } = spawnSync(node, [join(copy, 'build.mjs')], { env, encoding: 'utf8' });
    return { status, output: stdout + stderr };
  }
  const built = () => statSync(addon).mtimeMs;

  it('says in one line what to do when there is no compiler', () => {
    const { status, output } = build({ CC: '/nowhere/cc' });
    expect(status).to.equal(1);
    expect(output).to.match(/^@fairlead\/raw-socket: no C compiler: '\/nowhere\/cc' .*gcc.*\n$/);
  });

  it('says in one line what to do when there are neither headers nor node-gyp', () => {
    const bin = join(copy, 'elsewhere/bin');
    mkdirSync(bin, { recursive: true });
    cpSync(process.execPath, join(bin, 'node'));
    const nothing = { npm_config_nodedir: '', npm_config_node_gyp: '', npm_execpath: '' };
    const { status, output } = build(nothing, join(bin, 'node'));
    expect(status).to.equal(1);
    expect(output).to.match(/^@fairlead\/raw-socket: no Node headers .*nodedir.*\n$/);
  });

  it('compiles without a warning, and leaves nothing but the addon', () => {
    expect(build({ CFLAGS: '-Werror' })).to.deep.equal({ status: 0, output: '' });
    expect(readdirSync(join(copy, 'build/Release'))).to.deep.equal(['raw_socket.node']);
    const code = `console.log(Object.keys(require(${JSON.stringify(addon)})).length > 0)`;
    expect(spawnSync(process.execPath, ['-e', code], { encoding: 'utf8' }).stdout).to.equal('true\n');
  });

  it('does nothing when the addon is newer than its sources, and compiles again when one of them is newer', () => {
    const before = built();
    expect(build({ CC: '/nowhere/cc' })).to.deep.equal({ status: 0, output: '' });
    expect(built()).to.equal(before);
    const later = new Date(before + 10_000);
    utimesSync(join(copy, 'native/netns.c'), later, later);
    expect(build({ CC: '/nowhere/cc' }).status, 'it wants to compile').to.equal(1);
    expect(built(), 'the old addon stays when that fails').to.equal(before);
  });

  it('finds headers through the nodedir of npm', () => {
    rmSync(addon);
    const nodedir = join(dirname(process.execPath), '..');
    expect(build({ npm_config_nodedir: nodedir }, join(copy, 'elsewhere/bin/node'))).to.deep.equal({
      status: 0,
      output: '',
    });
    expect(built()).to.be.greaterThan(0);
  });
});
