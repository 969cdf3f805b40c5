/** An API server, the lab's in this process or another, and the real kubectl beside it: what every suite of this folder starts with. */
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ApiServer, type ApiServerOptions } from '@fairlead/lab';
import type { TestServer } from '../api/front.js';

// Outside of what the import specifiers of this project can name: from test/dist/kubectl/ it is three up to the root.
const root = new URL('../../../', import.meta.url);
const { ensureKubectl } = (await import(new URL('scripts/kubectl.mjs', root).href)) as {
  ensureKubectl(): Promise<string>;
};

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** A kubectl that goes on running, such as `get -w`. */
export interface Running {
  /** Resolves with the first line of stdout not seen before that matches; rejects when the process ends without one. */
  line(pattern: RegExp): Promise<string>;
  stop(): Promise<void>;
}

export class Cluster<S extends TestServer = ApiServer> {
  private constructor(
    readonly server: S,
    private readonly url: string,
    private readonly kubectlPath: string,
    private readonly home: string,
  ) {}

  static start(options: ApiServerOptions = {}): Promise<Cluster> {
    return Cluster.around(new ApiServer(options));
  }

  static async around<S extends TestServer>(server: S): Promise<Cluster<S>> {
    const kubectlPath = await ensureKubectl();
    const home = await mkdtemp(join(tmpdir(), 'fairlead-kubectl-'));
    const { url } = await server.listen({ host: '127.0.0.1', port: 0 });
    return new Cluster(server, url, kubectlPath, home);
  }

  async stop(): Promise<void> {
    await this.server.close();
    await rm(this.home, { recursive: true, force: true });
  }

  /** Runs kubectl to its end; never rejects for what kubectl says. */
  try(args: readonly string[], input = ''): Promise<Outcome> {
    return new Promise((resolve) => {
      const child = execFile(
        this.kubectlPath,
        this.#arguments(args),
        { env: this.#environment() },
        (error, stdout, stderr) => {
          resolve({ code: error ? Number(error.code ?? -1) : 0, stdout, stderr });
        },
      );
      child.stdin?.on('error', () => {}); // kubectl may end without reading; its exit code tells
      child.stdin?.end(input);
    });
  }

  /** Runs kubectl and gives what it prints. @throws Error when it fails. */
  async run(args: readonly string[], input = ''): Promise<string> {
    const { code, stdout, stderr } = await this.try(args, input);
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')} ended with ${code}: ${stderr}`);
    return stdout;
  }

  /** Runs kubectl, which has to fail, and gives what it complains of. */
  async fail(args: readonly string[], input = ''): Promise<string> {
    const { code, stdout, stderr } = await this.try(args, input);
    if (code === 0) throw new Error(`kubectl ${args.join(' ')} should have failed, it printed: ${stdout}`);
    return stderr;
  }

  /** The object as kubectl reads it. */
  // biome-ignore lint/suspicious/noExplicitAny: objects of every kind.
  async object(...args: string[]): Promise<any> {
    return JSON.parse(await this.run(['get', ...args, '-o', 'json']));
  }

  start(args: readonly string[]): Running {
    const child = spawn(this.kubectlPath, this.#arguments(args), {
      env: this.#environment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    return {
      async line(pattern) {
        for (;;) {
          const { value, done } = await lines.next();
          if (done) throw new Error(`kubectl ${args.join(' ')} ended without printing ${pattern}`);
          if (pattern.test(value)) return value;
        }
      },
      async stop() {
        child.kill();
        await exited;
      },
    };
  }

  #arguments(args: readonly string[]): string[] {
    return ['--server', this.url, '--cache-dir', join(this.home, 'cache'), ...args];
  }

  /** No kubeconfig of whoever runs the tests. */
  #environment(): NodeJS.ProcessEnv {
    return { PATH: process.env.PATH, HOME: this.home, KUBECONFIG: join(this.home, 'none') };
  }
}
