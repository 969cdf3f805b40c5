import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createNetns, listNetns } from '@fairlead/raw-socket';
import { expect } from 'chai';
import { sendRequests } from '../probe/probe.js';
import { deployEcho } from './echo.js';
import { Lab } from './lab.js';
import { netnsPrefix, STATE_ROOT } from './names.js';
import { podHost } from './pod.js';
import { identify, type ProcessIdentity } from './proc.js';
import { removeDeadLabs } from './state.js';

const FIXTURE = fileURLToPath(new URL('./orchestrator.fixture.js', import.meta.url));

const namespacesOf = (id: string) => listNetns().filter((name) => name.startsWith(netnsPrefix(id)));
const directoryOf = (id: string) => join(STATE_ROOT, id);
const alive = (processes: ProcessIdentity[]) =>
  processes.filter(({ pid, startTime }) => identify(pid)?.startTime === startTime).map(({ pid }) => pid);

/** Resolves when none of these processes is left; there is no event for processes that are not one's children. */
async function untilGone(processes: ProcessIdentity[]): Promise<void> {
  while (alive(processes).length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
}

interface Orchestrator {
  child: ChildProcess;
  id: string;
  processes: ProcessIdentity[];
  exited: Promise<{ code: number | null; signal: string | null }>;
}

/** Starts a process of its own with a lab in it. */
async function orchestrate(what = 'wait'): Promise<Orchestrator> {
  const child = spawn(process.execPath, [FIXTURE, what], { stdio: ['ignore', 'pipe', 'ignore'] });
  const exited = new Promise<{ code: number | null; signal: string | null }>((resolve) =>
    child.on('exit', (code, signal) => resolve({ code, signal })),
  );
  const first = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
  if (first.done) throw new Error('the orchestrator ended before its lab was up');
  const { id, pids } = JSON.parse(first.value as string) as { id: string; pids: number[] };
  const processes = pids.map((pid) => identify(pid)).filter((found) => found !== undefined);
  return { child, id, processes, exited };
}

describe('the life of a lab', function () {
  this.timeout(180_000);

  it('leaves nothing behind when it is stopped, however often', async () => {
    const lab = await Lab.start({ nodes: 1 });
    await deployEcho(lab, { name: 'web', perNode: 1 });
    const processes = [lab.apiServer!, lab.nodes[0]!.agent!].map(({ pid }) => identify(pid)!);
    expect(namespacesOf(lab.id)).to.have.length(7); // lan, mgmt, client, router, outside, n1, its pod
    await Promise.all([lab.stop(), lab.stop()]);
    await lab.stop();
    expect(namespacesOf(lab.id)).to.deep.equal([]);
    expect(existsSync(lab.directory)).to.equal(false);
    expect(alive(processes)).to.deep.equal([]);
  });

  it('removes what its speakers made, too', async () => {
    const lab = await Lab.start({ nodes: 1 });
    createNetns(lab.nodes[0]!.directorName);
    await lab.stop();
    expect(namespacesOf(lab.id)).to.deep.equal([]);
  });

  for (const { what, signal, ends } of [
    { what: 'wait', signal: 'SIGINT', ends: { code: null, signal: 'SIGINT' } },
    { what: 'wait', signal: 'SIGTERM', ends: { code: null, signal: 'SIGTERM' } },
    { what: 'exit', signal: undefined, ends: { code: 7, signal: null } },
    { what: 'throw', signal: undefined, ends: { code: 1, signal: null } },
  ] as const) {
    it(`is removed when its process ${signal ? `gets ${signal}` : `does ${what}`}, which it then ends by`, async () => {
      const { child, id, processes, exited } = await orchestrate(what);
      if (signal) child.kill(signal);
      expect(await exited).to.deep.equal(ends);
      expect(namespacesOf(id)).to.deep.equal([]);
      expect(existsSync(directoryOf(id))).to.equal(false);
      await untilGone(processes);
    });
  }

  it('loses its processes with its killed process, and the rest to the next lab', async () => {
    const { child, id, processes, exited } = await orchestrate();
    expect(processes).to.have.length(3);
    child.kill('SIGKILL');
    await exited;
    await untilGone(processes);
    expect(namespacesOf(id), 'nobody was there to remove them').not.to.deep.equal([]);
    const steps: string[] = [];
    const next = await Lab.start({ nodes: 1, onStep: (text) => steps.push(text) });
    try {
      expect(steps).to.include(`removed lab ${id}, whose process was killed`);
      expect(namespacesOf(id)).to.deep.equal([]);
      expect(existsSync(directoryOf(id))).to.equal(false);
    } finally {
      await next.stop();
    }
  });

  it('has neighbours: two labs at once do not see each other, nor remove each other', async () => {
    const [one, two] = await Promise.all([Lab.start({ nodes: 1 }), Lab.start({ nodes: 1 })]);
    try {
      expect(one.id).not.to.equal(two.id);
      await Promise.all([deployEcho(one, { name: 'one', perNode: 1 }), deployEcho(two, { name: 'two', perNode: 1 })]);
      expect(removeDeadLabs().map(({ id }) => id)).not.to.include.members([one.id, two.id]);
      for (const [lab, name] of [
        [one, 'one-1'],
        [two, 'two-1'],
      ] as const) {
        const pod = await podHost(lab, name);
        const report = await sendRequests(lab.nodes[0]!, { address: pod.address, port: 8080, count: 1 });
        expect(report.perPod).to.deep.equal({ [name]: 1 });
      }
      await one.stop();
      const pod = await podHost(two, 'two-1');
      expect((await sendRequests(two.nodes[0]!, { address: pod.address, port: 8080, count: 1 })).failures).to.equal(0);
    } finally {
      await Promise.all([one.stop(), two.stop()]);
    }
  });

  it('names the number of nodes that it cannot have', async () => {
    for (const nodes of [0, 81, 1.5]) {
      const error = await Lab.start({ nodes }).then(
        () => undefined,
        (thrown: Error) => thrown,
      );
      expect(error).to.have.property('code', 'FL_LAB_ARGUMENT');
    }
  });
});
