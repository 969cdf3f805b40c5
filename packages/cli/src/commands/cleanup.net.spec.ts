/** The command as people run it, on a host of its own: a network namespace. */

import { execFile, execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { DeadMansSwitch, Director, HostRoutes, OwnerRules } from '@fairlead/ipvs';
import { createNetns, deleteNetns, inNetns, listNetns, netnsPath } from '@fairlead/raw-socket';
import { expect } from 'chai';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));
const hostNetns = `fl-uninst-h-${process.pid}`;
const name = `fl-uninst-d-${process.pid}`;

describe('fairlead cleanup', function () {
  this.timeout(60_000);
  beforeEach(() => {
    createNetns(hostNetns);
    inNetns(hostNetns, () => writeFileSync('/proc/sys/net/ipv4/ip_forward', '1'));
  });
  afterEach(() => {
    for (const netns of [hostNetns, name]) if (listNetns().includes(netns)) deleteNetns(netns);
  });

  const install = () => {
    Director.ensure({ name, hostNetns }).close();
    const routes = new HostRoutes({ hostNetns });
    routes.sync([{ index: 3, vips: ['10.77.0.200', '10.77.0.201', 'fd00:77::200'] }]);
    routes.close();
    const rules = new OwnerRules({ hostNetns });
    rules.claim(3);
    rules.close();
  };
  const run = (...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> =>
    new Promise((resolve) => {
      const argv = [`--net=${netnsPath(hostNetns)}`, '--', process.execPath, MAIN, 'cleanup', '--director', name];
      execFile('nsenter', [...argv, ...args], (error, stdout, stderr) =>
        resolve({ status: error ? Number(error.code) : 0, stdout, stderr }),
      );
    });
  const report = (verb: string) =>
    ['3 routes to VIPs', 'ipv4 rule 7703', 'ipv6 rule 7703', 'interface fairlead0', `network namespace ${name}`]
      .map((what) => `${verb} ${what}\n`)
      .join('');

  it('tells what it would remove, removes it, and finds nothing the next time', async () => {
    install();
    expect(await run('--dry-run')).to.deep.equal({ status: 0, stdout: report('would remove'), stderr: '' });
    expect(listNetns()).to.include(name);
    expect(await run()).to.deep.equal({ status: 0, stdout: report('removed'), stderr: '' });
    expect(listNetns()).to.not.include(name);
    expect(await run()).to.deep.equal({ status: 0, stdout: 'nothing of Fairlead is here\n', stderr: '' });
  });

  it('speaks JSON', async () => {
    install();
    const { status, stdout } = await run('--json');
    expect(status).to.equal(0);
    const { removed, left } = JSON.parse(stdout) as { removed: string[]; left: string[] };
    expect(removed).to.have.length(7).and.include('route 10.77.0.200/32 of table 7703');
    expect(left).to.deep.equal([]);
  });

  it('refuses while a speaker runs, unless forced', async () => {
    install();
    const held = new DeadMansSwitch({ director: name, hostNetns, seconds: 30 });
    const holding = setInterval(() => held.hold(), 200);
    held.hold();
    try {
      const refused = await run('--json');
      expect(refused.status).to.equal(1);
      expect(JSON.parse(refused.stdout)).to.have.nested.property('error.code', 'FL_SPEAKER_RUNS');
      expect(refused.stderr).to.match(/^error: a speaker runs on this host/);
      expect(listNetns()).to.include(name);
      expect((await run('--dry-run')).status).to.equal(0);
      expect((await run('--force')).status).to.equal(0);
      expect(listNetns()).to.not.include(name);
    } finally {
      clearInterval(holding);
      held.close();
    }
  });

  it('leaves what is not ours, and says so by its exit code', async () => {
    createNetns(name);
    execFileSync('nsenter', [
      `--net=${netnsPath(hostNetns)}`,
      '--',
      'ip',
      'link',
      'add',
      'fairlead0',
      'type',
      'bridge',
    ]);
    const { status, stdout } = await run();
    expect(status).to.equal(3);
    expect(stdout).to.match(/^nothing of Fairlead is here\nleft: .*fairlead0/);
  });
});
