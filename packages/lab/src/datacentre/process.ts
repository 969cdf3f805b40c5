/**
 * Processes of a lab. Each is started as `setpriv --pdeathsig KILL nsenter --net=… -- argv`: the kernel kills it when
 * the orchestrator dies in any way, and it runs in its host's network but in the machine's own mount namespace, where
 * it can make further namespaces (`ip netns exec` would hide them). All three are one process with one pid, since
 * each replaces the one before.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { constants } from 'node:os';
import { createInterface } from 'node:readline';
import { netnsPath } from '@fairlead/raw-socket';
import { LabError } from './lab-error.js';

const TAIL_LENGTH = 64 * 1024; // characters of output that are kept

export interface ProcessExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface SpawnOptions {
  env?: NodeJS.ProcessEnv;
  /** Everything it prints is appended to this file as well. */
  logFile?: string;
}

export interface ExecOptions {
  /** What it reads on stdin. */
  input?: string;
  env?: NodeJS.ProcessEnv;
  /** It is killed after this time; default: never. */
  timeoutMs?: number;
  /** Kills it. */
  signal?: AbortSignal;
}

export interface ExecResult {
  /** Exit status; 128 + signal number when it was killed. */
  code: number;
  stdout: string;
  stderr: string;
}

/** The command line that runs `argv` in a network namespace and dies with this process. */
export function inNamespace(netns: string, argv: readonly string[]): string[] {
  return ['setpriv', '--pdeathsig', 'KILL', 'nsenter', `--net=${netnsPath(netns)}`, '--', ...argv];
}

interface LabProcessEvents {
  /** One line of output, without its end. */
  line: [text: string, stream: 'stdout' | 'stderr'];
  exit: [exit: ProcessExit];
}

/** A process that runs until it ends or is ended. */
export class LabProcess extends EventEmitter<LabProcessEvents> {
  readonly label: string;
  readonly pid: number;
  /** Resolves when it has ended and all its output was read. */
  readonly exited: Promise<ProcessExit>;
  readonly #child: ChildProcess;
  readonly #log: WriteStream | undefined;
  #tail = '';
  #exit: ProcessExit | undefined;

  /** @throws LabError FL_LAB_PROCESS when it could not be started */
  constructor(label: string, netns: string, argv: readonly string[], options: SpawnOptions = {}) {
    super();
    this.setMaxListeners(0);
    this.label = label;
    const [command = '', ...rest] = inNamespace(netns, argv);
    // A session of its own: Ctrl-C on the terminal is for the orchestrator, which then ends the lab in order.
    const child = spawn(command, rest, { detached: true, stdio: 'pipe', env: options.env ?? process.env });
    this.#child = child;
    if (child.pid === undefined) {
      child.on('error', () => {});
      throw new LabError('FL_LAB_PROCESS', `could not start ${label} (${command}); is util-linux installed?`);
    }
    this.pid = child.pid;
    this.#log = options.logFile === undefined ? undefined : createWriteStream(options.logFile, { flags: 'a' });
    child.stdin.on('error', () => {}); // it ended before it read everything: its exit says so
    this.#read('stdout', child.stdout);
    this.#read('stderr', child.stderr);
    this.exited = new Promise((resolve) => {
      child.on('close', (code, signal) => {
        this.#exit = { code, signal };
        this.#log?.end();
        this.emit('exit', this.#exit);
        resolve(this.#exit);
      });
    });
  }

  /** How it ended; undefined while it runs. */
  get exit(): ProcessExit | undefined {
    return this.#exit;
  }

  /** The last of its output, at least 64 Ki characters if there were as many; both streams as they came. */
  get output(): string {
    return this.#tail;
  }

  /** Sends a signal (SIGSTOP and SIGCONT freeze and thaw it); false when it has ended. */
  signal(signal: NodeJS.Signals): boolean {
    return this.#child.kill(signal);
  }

  /** Writes to its stdin. */
  write(text: string): void {
    this.#child.stdin!.write(text);
  }

  /** Closes its stdin. */
  end(): void {
    this.#child.stdin!.end();
  }

  /** The output of the last `count` lines, for error messages. */
  lastLines(count = 15): string {
    return this.#tail.trimEnd().split('\n').slice(-count).join('\n');
  }

  /**
   * The first line (from now on) for which `select` gives something other than undefined.
   * @throws LabError FL_LAB_PROCESS when it ends first, FL_LAB_TIMEOUT after `timeoutMs`; both with its last lines
   */
  waitFor<T>(
    what: string,
    select: (line: string, stream: 'stdout' | 'stderr') => T | undefined,
    timeoutMs: number,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = (then: () => void) => {
        clearTimeout(timer);
        this.off('line', onLine);
        this.off('exit', onExit);
        then();
      };
      const fail = (code: 'FL_LAB_PROCESS' | 'FL_LAB_TIMEOUT', happened: string) =>
        settle(() => reject(new LabError(code, `${this.label} ${happened} before ${what}:\n${this.lastLines()}`)));
      const onLine = (line: string, stream: 'stdout' | 'stderr') => {
        try {
          const found = select(line, stream);
          if (found !== undefined) settle(() => resolve(found));
        } catch (error) {
          settle(() => reject(error as Error));
        }
      };
      const onExit = (exit: ProcessExit) => fail('FL_LAB_PROCESS', `ended (${exit.signal ?? `status ${exit.code}`})`);
      const timer = setTimeout(() => fail('FL_LAB_TIMEOUT', `took more than ${timeoutMs / 1000} s`), timeoutMs);
      if (this.#exit !== undefined) return onExit(this.#exit);
      this.on('line', onLine);
      this.on('exit', onExit);
    });
  }

  #read(stream: 'stdout' | 'stderr', readable: NodeJS.ReadableStream): void {
    createInterface({ input: readable, crlfDelay: Number.POSITIVE_INFINITY }).on('line', (line) => {
      this.#tail += `${line}\n`;
      if (this.#tail.length > 2 * TAIL_LENGTH) this.#tail = this.#tail.slice(-TAIL_LENGTH);
      this.#log?.write(`${line}\n`);
      this.emit('line', line, stream);
    });
  }
}

/** Runs a command in a network namespace to its end. */
export function exec(netns: string, argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
  const [command = '', ...rest] = inNamespace(netns, argv);
  return new Promise((resolve, reject) => {
    const child = spawn(command, rest, {
      stdio: 'pipe',
      env: options.env ?? process.env,
      detached: true,
      killSignal: 'SIGKILL',
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const timer =
      options.timeoutMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), options.timeoutMs);
    child.on('error', (cause) => {
      if (cause.name === 'AbortError') return; // killed: `close` follows
      reject(new LabError('FL_LAB_PROCESS', `could not run ${argv.join(' ')}: ${cause.message}`, { cause }));
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code: code ?? 128 + (signal === null ? 0 : constants.signals[signal]), stdout, stderr });
    });
    child.stdin.on('error', () => {}); // it did not want its input
    child.stdin.end(options.input ?? '');
  });
}
