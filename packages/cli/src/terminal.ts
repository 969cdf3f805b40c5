/** Output for people: colours and a spinner on a terminal, plain lines elsewhere (NO_COLOR and FORCE_COLOR are honoured). */

import type { WriteStream } from 'node:tty';

export type Paint = (text: string) => string;

export interface Terminal {
  readonly interactive: boolean;
  write(text: string): void;
  bold: Paint;
  dim: Paint;
  red: Paint;
  green: Paint;
  yellow: Paint;
  cyan: Paint;
}

/** The usual conventions: https://no-color.org, and FORCE_COLOR as Node.js itself reads it. */
export function wantsColour(stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv): boolean {
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== '') return false;
  if (env.FORCE_COLOR !== undefined) return env.FORCE_COLOR !== '0' && env.FORCE_COLOR !== 'false';
  return stream.isTTY === true && env.TERM !== 'dumb';
}

export function createTerminal(stream: NodeJS.WriteStream | WriteStream = process.stdout): Terminal {
  const colour = wantsColour(stream, process.env);
  const paint =
    (open: number, close: number): Paint =>
    (text) =>
      colour ? `\u001b[${open}m${text}\u001b[${close}m` : text;
  return {
    interactive: stream.isTTY === true,
    write: (text) => void stream.write(text),
    bold: paint(1, 22),
    dim: paint(2, 22),
    red: paint(31, 39),
    green: paint(32, 39),
    yellow: paint(33, 39),
    cyan: paint(36, 39),
  };
}
