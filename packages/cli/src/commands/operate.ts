/** `fairlead status`, `drain`, `undrain` and `move`: for operators, from anywhere that reaches the API server. */

import { isAddress } from '@fairlead/api';
import { KubeClient, resolveConfig } from '@fairlead/kube';
import { type Command, InvalidArgumentError } from 'commander';
import { drain, undrain } from '../operate/drain.js';
import { move } from '../operate/move.js';
import { readStatus } from '../operate/status.js';
import { statusText } from '../operate/status-text.js';
import { CONFIG_HINT } from './daemon.js';
import { durationOption } from './options.js';

interface Options {
  server?: string;
  kubeconfig?: string;
  json?: boolean;
  timeout?: number;
  force?: boolean;
}

type Waiting = Options & { timeout: number };

/** No request may take longer than this, nor than the command as a whole. */
const REQUEST_TIMEOUT_MS = 10_000;
const EXIT_CODES = '\nExit codes: 0 done, 1 not possible, or not done in time, 2 wrong usage.';

export function statusCommand(parent: Command): void {
  common(parent.command('status'))
    .description('show who owns which VIP, which Services wait for one and why, and which nodes may own any')
    .action((options: Options) =>
      run(
        options,
        (kube) => readStatus(kube, Date.now()),
        (status) => statusText(status, Date.now()).trimEnd(),
      ),
    );
}

export function drainCommand(parent: Command): void {
  waiting(common(parent.command('drain <node>')))
    .description('let a node hand over all VIPs that it owns, and take none until `undrain`; it goes on forwarding')
    .option('--force', 'also when no other node looks fit to take over')
    .action((node: string, options: Waiting) =>
      run(
        options,
        (kube, step) => drain(kube, { node, timeoutMs: options.timeout, force: options.force ?? false, step }),
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
  waiting(common(parent.command('move').argument('<vip>', '', parseVip).argument('<node>')))
    .description('let the owner of a VIP hand it over to a node, together with the other VIPs of its virtual router')
    .action((vip: string, node: string, options: Waiting) =>
      run(
        options,
        (kube, step) => move(kube, { vip, node, timeoutMs: options.timeout, step }),
        ({ from, virtualRouter, together }) =>
          from === node
            ? `${node} owns ${virtualRouter} already`
            : `${vip} is with ${node} now${together.length > 0 ? `, together with ${together.join(', ')}` : ''}`,
      ),
    );
}

function common(command: Command): Command {
  return command
    .option('--server <url>', 'API server without authentication, such as http://10.0.0.1:8080 (for labs)')
    .option('--kubeconfig <file>', 'kubeconfig file (default: $KUBECONFIG or ~/.kube/config)')
    .option('--json', 'print one JSON object')
    .addHelpText('after', EXIT_CODES);
}

function waiting(command: Command): Command {
  return command.addOption(durationOption('--timeout <time>', 'how long to wait until it is done', '30s'));
}

function parseVip(text: string): string {
  if (isAddress(text)) return text;
  throw new InvalidArgumentError('an IP address is expected.');
}

async function run<T>(
  { server, kubeconfig, json, timeout = REQUEST_TIMEOUT_MS }: Options,
  act: (kube: KubeClient, step: (text: string) => void) => Promise<T>,
  describe: (result: T) => string,
): Promise<void> {
  let kube: KubeClient | undefined;
  try {
    kube = new KubeClient({
      userAgent: 'fairlead-cli',
      ...(await resolveConfig({ server, kubeconfig })),
      timeoutMs: Math.min(timeout, REQUEST_TIMEOUT_MS),
    });
    const result = await act(kube, (text) => process.stderr.write(`${text}\n`));
    process.stdout.write(`${json ? JSON.stringify(result) : describe(result)}\n`);
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    if (!code?.startsWith('FL_')) throw error;
    if (json) process.stdout.write(`${JSON.stringify({ error: { code, message } })}\n`);
    process.stderr.write(`error: ${message}${hintAt(code, Boolean(kubeconfig || server))}\n`);
    process.exitCode = 1;
  } finally {
    await kube?.close();
  }
}

/** What to do, where the error itself cannot know. */
function hintAt(code: string, named: boolean): string {
  if (code === 'FL_KUBE_CONFIG' && !named) return CONFIG_HINT;
  // A Node that is not there is told by another code, so this is a kind of object.
  return code === 'FL_KUBE_NOT_FOUND'
    ? ' (is Fairlead installed in this cluster? kubectl get crd addresspools.fairlead.dev)'
    : '';
}
