/**
 * Controllers as processes that are killed at random moments, while an API server misbehaves at random, and Services come,
 * go and change: what every watcher of Services sees, at every moment, is one address for each.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { until } from '@fairlead/cli';
import { services } from '@fairlead/kube';
import { seededRandom } from '@fairlead/lease-lock/testing';
import type { V1Service } from '@kubernetes/client-node';
import { expect } from 'chai';
import { namespace } from './api-server.js';
import { World } from './world.js';

const cli = fileURLToPath(new URL('../../../packages/cli/dist/main.js', import.meta.url)); // from test/dist/controller/
const SERVICES = 450;
const KILLS = 6;

describe('controller: killed at any moment', function () {
  this.timeout(180_000);
  let world: World;
  const children = new Set<ChildProcess>();
  beforeEach(async () => {
    world = await World.start();
  });
  afterEach(async () => {
    await Promise.all([...children].map(kill));
    await world.stop();
  });

  function startProcess(identity: string): ChildProcess {
    const argv = [cli, 'controller', '--server', world.url, '--identity', identity, '--lease-duration', '2s'];
    const options = ['--metrics-address', 'off', '--log-level', 'error'];
    const child = spawn(process.execPath, [...argv, ...options], { stdio: ['ignore', 'ignore', 'inherit'] });
    children.add(child);
    return child;
  }

  async function kill(child: ChildProcess): Promise<void> {
    children.delete(child);
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  it(`gives 500 Services one address each, while ${KILLS} leaders die, others freeze, and requests fail`, async () => {
    const seed = Number(process.env.FAIRLEAD_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
    const random = seededRandom(seed);
    const holders = new Map<string, string>();
    const shown = new Map<string, string>();
    const faults: string[] = [];
    const look = ({ metadata, status }: V1Service, gone = false) => {
      const { name, uid } = metadata!;
      const before = shown.get(uid!);
      const ip = gone ? undefined : status?.loadBalancer?.ingress?.[0]?.ip;
      if (before !== undefined && ip !== before && !gone) faults.push(`${name}: ${before} became ${ip}`);
      if (before !== undefined && holders.get(before) === name) holders.delete(before);
      if (ip === undefined) return;
      const other = holders.get(ip);
      if (other !== undefined && other !== name) faults.push(`${ip} of ${other} is shown by ${name}`);
      holders.set(ip, name!);
      shown.set(uid!, ip);
    };
    world.services.on('add', (service) => look(service));
    world.services.on('update', (service) => look(service));
    world.services.on('delete', (service) => look(service, true));

    await world.createPool('public', ['192.0.2.0/24', '198.51.100.0/24'], { coolDownSeconds: 1 });
    let made = 0;
    const create = async (count: number) => {
      const names = [...Array(count).keys()].map(() => `s${made++}`);
      await Promise.all(names.map((name) => world.createService(name)));
    };
    const wanting = () => world.services.list().filter(({ spec }) => spec?.type === 'LoadBalancer');
    const served = () => wanting().every(({ status }) => status?.loadBalancer?.ingress?.length);
    let running = [startProcess('c0'), startProcess('c1')];
    const match = { resource: 'services/status', verb: 'patch' };
    for (let round = 0; round < KILLS; round++) {
      const count = Math.floor(random() * 8);
      world.server.faults.next(500, { match, count });
      world.server.faults.next(429, { match, count: Math.floor(random() * 4), retryAfterSeconds: 0 });
      world.server.faults.reset({ match, count });
      world.server.faults.loseAnswer({ match, count });
      world.server.faults.delay(1_500, { match, count: Math.floor(random() * 3) });
      const already = shown.size;
      await create(Math.ceil(SERVICES / KILLS));
      // Some go while they are served.
      const doomed = [...Array(5).keys()].map(() => `s${Math.floor(random() * made)}`);
      await Promise.all(
        doomed.map((name) => world.kube.delete(services, { namespace, name }).catch(() => {})), // gone already, some of them
      );
      const goal = already + 1 + Math.floor(random() * 60);
      await until(world.services, 'the next addresses', () => (shown.size >= goal ? true : undefined));
      if (round % 2 === 1) {
        // Perhaps the leader: it wakes up in the middle of what it was doing, and another one leads.
        const frozen = running[Math.floor(random() * 2)]!;
        frozen.kill('SIGSTOP');
        await create(10);
        await until(world.services, 'an address for every Service', () => (served() ? true : undefined));
        await create(10);
        frozen.kill('SIGCONT');
        await until(world.services, 'an address for every Service', () => (served() ? true : undefined));
      }
      // Whoever leads is among them.
      await Promise.all(running.map(kill));
      running = [startProcess(`c${2 * round + 2}`), startProcess(`c${2 * round + 3}`)];
    }
    world.server.faults.clear();
    await until(world.services, 'an address for every Service', () => (served() ? true : undefined));
    expect(faults, `FAIRLEAD_TEST_SEED=${seed}`).to.deep.equal([]);
    const addresses = Object.values(world.addresses());
    expect(addresses.length).to.be.at.least(SERVICES - 5 * KILLS);
    expect(new Set(addresses).size).to.equal(addresses.length);
  });
});
