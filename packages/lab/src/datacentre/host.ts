/** A machine of the lab that commands can be run on: the client, the router, a node. */
import { setMaxListeners } from 'node:events';
import { LabError } from './lab-error.js';
import { type ExecOptions, type ExecResult, exec, LabProcess, type SpawnOptions } from './process.js';
import type { LabState } from './state.js';

/** What all hosts of a lab share. */
export interface HostContext {
  state: LabState;
  /** Whether processes write log files into the state directory. */
  logs: boolean;
}

export class LabHost {
  readonly name: string;
  /** Its network namespace, under /run/netns. */
  readonly netns: string;
  readonly #context: HostContext;
  readonly #processes = new Set<LabProcess>();
  #commands = commandLife();

  constructor(context: HostContext, name: string, netns: string) {
    this.#context = context;
    this.name = name;
    this.netns = netns;
  }

  /** The processes that were started here and run. */
  get processes(): readonly LabProcess[] {
    return [...this.#processes];
  }

  /** Runs a command here to its end; a failure is its `code`, not an error. */
  exec(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    this.assertUsable();
    return exec(this.netns, argv, { signal: this.#commands.signal, ...options });
  }

  /** Starts a process here. It ends with the lab, with this process, or with the power of this host. */
  spawn(label: string, argv: readonly string[], options: SpawnOptions = {}): LabProcess {
    this.assertUsable();
    const { state, logs } = this.#context;
    const logFile = options.logFile ?? (logs ? state.path(`${this.name}-${label}.log`) : undefined);
    const name = `${label} on ${this.name}`;
    const child = new LabProcess(name, this.netns, argv, logFile === undefined ? options : { ...options, logFile });
    state.record(child.pid, name);
    this.adopt(child);
    return child;
  }

  /** Lets a process that runs here end with this host. */
  adopt(child: LabProcess): void {
    this.#processes.add(child);
    child.on('exit', () => this.#processes.delete(child));
  }

  /** Ends everything that was started here, at once. */
  killAll(): void {
    for (const child of this.#processes) child.signal('SIGKILL');
    this.#commands.abort();
    this.#commands = commandLife();
  }

  /** @throws LabError FL_LAB_STATE when nothing can run here */
  protected assertUsable(): void {}

  protected fail(why: string): never {
    throw new LabError('FL_LAB_STATE', `${this.name}: ${why}`);
  }
}

/** What ends the commands that run on a host; there may be any number of them. */
function commandLife(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}
