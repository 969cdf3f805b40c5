/** What a user gets who gives the wrong options, or has no cluster: one line and an exit code. */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));

interface Ended {
  status: number | null;
  stdout: string;
  stderr: string;
}

function fairlead(...args: string[]): Ended {
  return fairleadWith({}, ...args);
}

function fairleadWith(more: NodeJS.ProcessEnv, ...args: string[]): Ended {
  const env = { PATH: process.env.PATH, HOME: '/nonexistent', ...more };
  return spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8', env });
}

describe('the fairlead command', function () {
  this.timeout(60_000); // every test starts Node.js, on a machine that may be busy

  const wrong = [
    ['frobnicate'],
    ['demo', '--forwarder', 'foo'],
    ['demo', '--needs', '--frobnicate'],
    ['demo', '--needs', '--json'],
    ['speaker', '--lease-duration', 'soon'],
    ['speaker', '--director', '../x'],
    ['cleanup', '--director', '../x'],
    ['cleanup', '--frobnicate'],
    ['speaker', '--probe-interval', '0'],
    ['speaker', '--probe-fall', '0'],
    ['speaker', '--probe-rise', '1.5'],
    ['speaker', '--kube-proxy-port', '65536'],
    ['speaker', '--scheduler', 'fastest'],
    ['speaker', '--panic-threshold', '0%'],
    ['speaker', '--panic-threshold', '101%'],
    ['speaker', '--metrics-address', 'localhost'],
    ['speaker', '--lease-duration', '500ms'],
    ['controller', '--lease-duration', '500ms'],
    ['speaker', '--lease-duration', '3s', '--renew-period', '2900ms'],
    ['speaker', '--node-name', '../x'],
    ['status', 'n1'],
    ['drain'],
    ['undrain'],
    ['move', '10.0.0.1'],
    ['move', '10.0.0', 'n1'],
    ['drain', 'n1', '--timeout', 'soon'],
  ];
  for (const args of wrong) {
    it(`refuses \`${args.join(' ')}\` with exit code 2 and without a stack`, () => {
      const { status, stderr } = fairlead(...args);
      expect(status).to.equal(2);
      expect(stderr)
        .to.match(/^error: /)
        .and.not.match(/^ +at /m);
    });
  }

  it('refuses a name of a node that can be none, in the environment as well', () => {
    const { status, stderr } = fairleadWith({ NODE_NAME: '../x' }, 'speaker');
    expect(status).to.equal(2);
    expect(stderr).to.match(/^error: .*'\.\.\/x' from env 'NODE_NAME' is invalid/);
  });

  const needs: [string[], string][] = [
    [[], 'ipvs'],
    [['--forwarder', 'ipvs'], 'ipvs'],
    [['--forwarder=nftables', '--json', 'facts.json'], 'root'],
  ];
  for (const [args, answer] of needs) {
    it(`says that \`demo ${args.join(' ')}\` needs ${answer}, and does nothing else`, () => {
      expect(fairlead('demo', '--needs', ...args)).to.include({ status: 0, stdout: `${answer}\n`, stderr: '' });
    });
  }

  for (const command of ['controller', 'speaker', 'status', 'drain', 'undrain', 'move', 'cleanup', 'demo']) {
    it(`tells the defaults of \`${command}\` as one would write them`, () => {
      const { status, stdout } = fairlead(command, '--help');
      expect(status).to.equal(0);
      expect(stdout.replaceAll(/\s+/g, ' ')).not.to.match(/default: (false|\[\])/);
      for (const [, unit] of stdout.replaceAll(/\s+/g, ' ').matchAll(/ <time> [^<]*?\(default: \d+(\w*)\)/g)) {
        expect(unit).to.match(/^(ms|s|m)$/);
      }
    });
  }

  it('says how to name a cluster when an operator has none', () => {
    const { status, stderr } = fairlead('status');
    expect(status).to.equal(1);
    expect(stderr).to.match(/^error: .*--kubeconfig FILE\)\n$/);
  });

  for (const daemon of ['controller', 'speaker']) {
    it(`says in one line how to name a cluster when a ${daemon} starts without one`, () => {
      const { status, stderr } = fairlead(daemon);
      expect(status).to.equal(1);
      const line = JSON.parse(stderr) as { code: string; msg: string; err?: unknown };
      expect(line.code).to.equal('FL_KUBE_CONFIG');
      expect(line.msg).to.contain('--kubeconfig FILE');
      expect(line.err).to.equal(undefined);
    });
  }
});
