/** `fairlead drain`, `undrain` and `move`: for operators, from anywhere that reaches the API server. */

import { KubeClient, resolveConfig } from '@fairlead/kube';
import type { Command } from 'commander';
import { drain, undrain } from '../operate/drain.js';
import { move } from '../operate/move.js';
import { parseDuration } from './options.js';

interface Options {
  server?: string;
  kubeconfig?: string;
  json: boolean;
  timeout: number;
  force: boolean;
}

const DEFAULT_TIMEOUT_MS = 30_000;
const EXIT_CODES = '\nExit codes: 0 done, 1 not possible, or not done in time, 2 wrong usage.';

export function drainCommand(parent: Command): void {
  waiting(common(parent.command('drain <node>')))
    .description('let a node hand over all VIPs that it owns, and take none until `undrain`; it goes on forwarding')
    .option('--force', 'also when no other node looks fit to take over', false)
    .action((node: string, { timeout, force, ...options }: Options) =>
      run(
        options,
        (kube, step) => drain(kube, { node, timeoutMs: timeout, force, step }),
        ({ moved }) => `${node} is drained: ${moved.length === 0 ? 'it owned nothing' : `${moved.length} handed over`}`,
      ),
    );
}

export function undrainCommand(parent: Command): void {
  common(parent.command('undrain <node>'))
    .description('let a drained node own VIPs again; it takes none back by that')
    .action((node: string, options: Options) =>
      run(
        options,
        (kube) => undrain(kube, node),
        () => `${node} may own VIPs again`,
      ),
    );
}

export function moveCommand(parent: Command): void {
  waiting(common(parent.command('move <vip> <node>')))
    .description('let the owner of a VIP hand it over to a node, together with the other VIPs of its virtual router')
    .action((vip: string, node: string, { timeout, ...options }: Options) =>
      run(
        options,
        (kube, step) => move(kube, { vip, node, timeoutMs: timeout, step }),
        ({ from, virtualRouter, together }) =>
          from === node
            ? `${node} owns ${virtualRouter} already`
            : `${vip} is with ${node} now${together.length > 0 ? `, and so are ${together.join(', ')}` : ''}`,
      ),
    );
}

function common(command: Command): Command {
  return command
    .option('--server <url>', 'API server without authentication, such as http://10.0.0.1:8080 (for labs)')
    .option('--kubeconfig <file>', 'kubeconfig file (default: $KUBECONFIG or ~/.kube/config)')
    .option('--json', 'print one JSON object', false)
    .addHelpText('after', EXIT_CODES);
}

function waiting(command: Command): Command {
  return command.option('--timeout <time>', 'how long to wait until it is done', parseDuration, DEFAULT_TIMEOUT_MS);
}

async function run<T>(
  { server, kubeconfig, json }: Pick<Options, 'server' | 'kubeconfig' | 'json'>,
  act: (kube: KubeClient, step: (text: string) => void) => Promise<T>,
  describe: (result: T) => string,
): Promise<void> {
  let kube: KubeClient | undefined;
  try {
    kube = new KubeClient(await resolveConfig({ server, kubeconfig }));
    const result = await act(kube, (text) => process.stderr.write(`${text}\n`));
    process.stdout.write(`${json ? JSON.stringify(result) : describe(result)}\n`);
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    if (!code?.startsWith('FL_')) throw error;
    if (json) process.stdout.write(`${JSON.stringify({ error: { code, message } })}\n`);
    process.stderr.write(`error: ${message}\n`);
    process.exitCode = 1;
  } finally {
    await kube?.close();
  }
}
