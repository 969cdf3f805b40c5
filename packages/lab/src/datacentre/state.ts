/**
 * What a lab leaves on disk while it lives, so that the next one can remove it if its owner was killed.
 *
 *   /run/fairlead-lab/ID/lab.json    the owner: pid, start time, boot
 *                       /processes   one line for each process ever started: pid, start time, label
 *                       /…           sockets, kubeconfig, logs
 */
import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { deleteNetns, listNetns } from '@fairlead/raw-socket';
import { netnsPrefix, STATE_ROOT } from './names.js';
import { bootId, identify, isAlive, type ProcessIdentity } from './proc.js';

const HALF_MADE_MS = 60_000; // a directory without owner that is older than this was left by a lab killed while making it

interface Owner extends ProcessIdentity {
  bootId: string;
}

/** The directory of a lab that this process owns. */
export class LabState {
  readonly id: string;
  readonly directory: string;

  private constructor(id: string, directory: string) {
    this.id = id;
    this.directory = directory;
  }

  static create(root = STATE_ROOT): LabState {
    const id = randomBytes(2).toString('hex');
    mkdirSync(root, { recursive: true });
    const directory = join(root, id);
    try {
      mkdirSync(directory);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return LabState.create(root);
      throw error;
    }
    const owner: Owner = { ...identify(process.pid)!, bootId: bootId() };
    // Complete or not there at all: others judge by this file whether the lab is alive.
    writeFileSync(join(directory, 'lab.json.new'), JSON.stringify(owner));
    renameSync(join(directory, 'lab.json.new'), join(directory, 'lab.json'));
    return new LabState(id, directory);
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  /** Remembers a process, so that it can be ended after this one is killed. */
  record(pid: number, label: string): void {
    const startTime = identify(pid)?.startTime;
    if (startTime !== undefined) appendFileSync(this.path('processes'), `${pid} ${startTime} ${label}\n`);
  }

  /** Removes the namespaces and the directory; the processes must have been ended. */
  remove(): void {
    removeNamespaces(netnsPrefix(this.id));
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export interface DeadLab {
  id: string;
  processes: number;
  namespaces: number;
}

/** Removes what labs left behind whose owner is gone: processes, namespaces, directories. Leaves living labs alone. */
export function removeDeadLabs(root = STATE_ROOT): DeadLab[] {
  const removed: DeadLab[] = [];
  for (const id of entries(root)) {
    const directory = join(root, id);
    const owner = readOwner(directory);
    if (owner === undefined ? !isOld(directory) : owner.bootId === bootId() && isAlive(owner)) continue;
    const processes = owner?.bootId === bootId() ? killRecorded(directory) : 0;
    removed.push({ id, processes, namespaces: removeNamespaces(netnsPrefix(id)) });
    rmSync(directory, { recursive: true, force: true });
  }
  return removed;
}

function entries(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function readOwner(directory: string): Owner | undefined {
  try {
    return JSON.parse(readFileSync(join(directory, 'lab.json'), 'utf8')) as Owner;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function isOld(directory: string): boolean {
  const modified = statSync(directory, { throwIfNoEntry: false })?.mtimeMs;
  return modified !== undefined && Date.now() - modified > HALF_MADE_MS;
}

function killRecorded(directory: string): number {
  let text = '';
  try {
    text = readFileSync(join(directory, 'processes'), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  let killed = 0;
  for (const line of text.split('\n')) {
    const [pid, startTime] = line.split(' ');
    if (!pid || !startTime || !isAlive({ pid: Number(pid), startTime })) continue;
    if (kill(Number(pid))) killed += 1;
  }
  return killed;
}

/** SIGKILL; false when the process was gone already. */
export function kill(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** Deletes the network namespaces whose name begins with `prefix`; returns how many. */
export function removeNamespaces(prefix: string): number {
  let removed = 0;
  for (const name of listNetns()) {
    if (name.startsWith(prefix) && removeNamespace(name)) removed += 1;
  }
  return removed;
}

/** Deletes one network namespace; false when it is gone: two labs that start together remove the same leftovers. */
export function removeNamespace(name: string): boolean {
  try {
    deleteNetns(name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
