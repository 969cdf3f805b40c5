/** `--director`, for the commands that deal with one. */

import { checkName } from '@fairlead/ipvs';
import { type Command, InvalidArgumentError } from 'commander';

export function withDirectorOption(command: Command): Command {
  return command.option(
    '--director <name>',
    'network namespace in which VIP traffic is forwarded',
    parseDirectorName,
    'fairlead',
  );
}

function parseDirectorName(name: string): string {
  try {
    checkName(name);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
  return name;
}
