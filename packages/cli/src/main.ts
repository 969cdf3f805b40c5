#!/usr/bin/env node
/** The `fairlead` command. Exit codes: 0 done, 1 failed, 2 wrong usage. */

import { Command, CommanderError } from 'commander';
import { version } from './version.js';

const program = new Command('fairlead')
  .description('a bare-metal LoadBalancer for Kubernetes')
  .version(version)
  .exitOverride()
  .showHelpAfterError('(--help lists the options)');

/** Only the command that runs is loaded: a speaker should not pay for the controller, nor either of them for the demo. */
const commands: Record<string, () => Promise<(parent: Command) => void>> = {
  controller: async () => (await import('./commands/controller.js')).controllerCommand,
  speaker: async () => (await import('./commands/speaker.js')).speakerCommand,
  status: async () => (await import('./commands/operate.js')).statusCommand,
  drain: async () => (await import('./commands/operate.js')).drainCommand,
  undrain: async () => (await import('./commands/operate.js')).undrainCommand,
  move: async () => (await import('./commands/operate.js')).moveCommand,
  cleanup: async () => (await import('./commands/cleanup.js')).cleanupCommand,
  demo: async () => (await import('./commands/demo.js')).demoCommand,
};

try {
  const named = process.argv[2] ?? '';
  for (const name of named in commands ? [named] : Object.keys(commands)) (await commands[name]!())(program);
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else throw error;
}
