import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createNetns, deleteNetns, listNetns } from '@fairlead/raw-socket';
import { expect } from 'chai';
import { bootId, identify } from './proc.js';
import { LabState, removeDeadLabs } from './state.js';

describe('what dead labs left behind', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'fairlead-lab-'));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  /** The state of a lab whose owner had this identity. */
  function leave(id: string, owner: object, processes = ''): string {
    const directory = join(root, id);
    mkdirSync(directory);
    writeFileSync(join(directory, 'lab.json'), JSON.stringify(owner));
    writeFileSync(join(directory, 'processes'), processes);
    return directory;
  }
  const dead = () => ({ pid: process.pid, startTime: '1', bootId: bootId() });

  it('is removed with all namespaces of that lab, and no other’s', () => {
    const [own, other] = ['fl-dead1-n1-p7', 'fl-dead12-n1'];
    for (const name of [own, other]) createNetns(name);
    try {
      const directory = leave('dead1', dead());
      expect(removeDeadLabs(root)).to.deep.equal([{ id: 'dead1', processes: 0, namespaces: 1 }]);
      expect(existsSync(directory)).to.equal(false);
      expect(listNetns()).to.include(other).and.not.to.include(own);
    } finally {
      for (const name of [own, other]) if (listNetns().includes(name)) deleteNetns(name);
    }
  });

  it('includes processes, but none that only inherited a pid', async () => {
    const children = ['a', 'b'].map(() => spawn('sleep', ['1000']));
    const exits = children.map((child) => new Promise((resolve) => child.on('exit', (_, signal) => resolve(signal))));
    const [left, stranger] = children.map((child) => identify(child.pid!)!);
    leave('dead1', dead(), `${left!.pid} ${left!.startTime} agent on n1\n${stranger!.pid} 1 agent on n2\n`);
    expect(removeDeadLabs(root)).to.deep.equal([{ id: 'dead1', processes: 1, namespaces: 0 }]);
    expect(await exits[0]).to.equal('SIGKILL');
    expect(identify(stranger!.pid)).to.deep.equal(stranger);
    children[1]!.kill();
    await exits[1];
  });

  it('is not taken for the processes of another boot', async () => {
    const child = spawn('sleep', ['1000']);
    const exit = new Promise((resolve) => child.on('exit', (_, signal) => resolve(signal)));
    const { pid, startTime } = identify(child.pid!)!;
    leave('dead1', { pid, startTime, bootId: 'another' }, `${pid} ${startTime} agent\n`);
    expect(removeDeadLabs(root)).to.deep.equal([{ id: 'dead1', processes: 0, namespaces: 0 }]);
    expect(identify(pid)).to.deep.equal({ pid, startTime });
    child.kill();
    await exit;
  });

  it('is not what a living lab has, nor one that is just being made', () => {
    const state = LabState.create(root);
    const young = join(root, 'young');
    mkdirSync(young);
    expect(removeDeadLabs(root)).to.deep.equal([]);
    const hourAgo = Date.now() / 1000 - 3600;
    utimesSync(young, hourAgo, hourAgo);
    expect(removeDeadLabs(root).map(({ id }) => id)).to.deep.equal(['young']);
    expect(existsSync(state.directory)).to.equal(true);
    state.remove();
    expect(existsSync(state.directory)).to.equal(false);
  });
});
