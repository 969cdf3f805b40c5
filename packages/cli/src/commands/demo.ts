/** `fairlead demo` */

import { type Command, Option } from 'commander';
import { createTerminal } from '../terminal.js';

interface Options {
  forwarder: 'auto' | 'ipvs' | 'nftables';
  json?: string;
  needs?: true;
}

export function demoCommand(parent: Command): void {
  parent
    .command('demo')
    .description('show a VIP that works and moves, in an embedded data centre on this machine (root)')
    .addOption(
      new Option('--forwarder <kind>', 'ipvs, nftables, or auto: ipvs where the kernel has it')
        .choices(['auto', 'ipvs', 'nftables'])
        .default('auto'),
    )
    .option('--json <file>', 'write what was found out to this file')
    // For who has to choose the kernel to run this on: wrong options are told here, before a virtual machine is booted.
    .addOption(new Option('--needs', "only say what is needed: 'root', or 'ipvs' for a kernel that has it").hideHelp())
    .action(async (options: Options) => {
      if (options.needs) return void process.stdout.write(options.forwarder === 'nftables' ? 'root\n' : 'ipvs\n');
      // Loaded only here: the daemons have no use for a laboratory.
      const { runDemo } = await import('../demo/demo.js');
      process.exitCode = (await runDemo({ ...options, terminal: createTerminal() })) ? 0 : 1;
    });
}
