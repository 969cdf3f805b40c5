/** `fairlead cleanup`: leaves a host as if Fairlead had never forwarded there. */

import { type Cleanup, cleanup, speakerRuns } from '@fairlead/ipvs';
import type { Command } from 'commander';
import { withDirectorOption } from './director-option.js';

interface Options {
  director: string;
  dryRun?: boolean;
  json?: boolean;
  force?: boolean;
}

/** Something bears our name and is not ours. */
const EXIT_LEFT = 3;

export function cleanupCommand(parent: Command): void {
  withDirectorOption(parent.command('cleanup'))
    .description("remove from this host's kernel all that speakers made there, and nothing else (when none runs)")
    .option('--dry-run', 'only tell what would be removed')
    .option('--json', 'print one JSON object: {"removed": [...], "left": [...]}')
    .option('--force', 'also while a speaker runs here: its connections break, and it makes everything anew')
    .addHelpText(
      'after',
      `
Exit codes: 0 nothing of Fairlead is left, 1 failed or refused, 2 wrong usage,
${EXIT_LEFT} something bears Fairlead's name that is somebody else's, and was left.`,
    )
    .action(run);
}

async function run(options: Options): Promise<void> {
  try {
    if (!options.dryRun && !options.force && (await speakerRuns({}))) {
      throw Object.assign(
        new Error(
          'a speaker runs on this host and would make everything anew: stop it first (or insist with --force; --dry-run only looks)',
        ),
        { code: 'FL_SPEAKER_RUNS' },
      );
    }
    const result = cleanup({ name: options.director, dryRun: options.dryRun ?? false });
    process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : describe(result, options.dryRun ?? false));
    if (result.left.length > 0) process.exitCode = EXIT_LEFT;
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    if (code === undefined) throw error;
    if (options.json) process.stdout.write(`${JSON.stringify({ error: { code, message } })}\n`);
    process.stderr.write(`error: ${message}\n`);
    process.exitCode = 1;
  }
}

/** A line for each thing, but routes, of which there are as many as VIPs, together. */
function describe({ removed, left }: Cleanup, dryRun: boolean): string {
  const isRoute = (line: string) => line.startsWith('route ');
  const routes = removed.filter(isRoute).length;
  const verb = dryRun ? 'would remove' : 'removed';
  const lines = removed.filter((line) => !isRoute(line)).map((line) => `${verb} ${line}`);
  if (routes > 0) lines.unshift(`${verb} ${routes} route${routes === 1 ? '' : 's'} to VIPs`);
  if (removed.length === 0) lines.push('nothing of Fairlead is here');
  return [...lines, ...left.map((why) => `left: ${why}`), ''].join('\n');
}
