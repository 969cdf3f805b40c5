/** A numbered story of steps: each is announced, timed, and told as held or failed. */

import type { Terminal } from '../terminal.js';

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

export class Story {
  readonly #terminal: Terminal;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /**
   * Runs one step. `run` may report progress, and returns what came out, said in a line. What it throws is printed and passed on:
   * a story ends at the first step that does not hold.
   */
  async step<T extends { said: string }>(
    title: string,
    run: (progress: (text: string) => void) => Promise<T>,
  ): Promise<T> {
    const started = performance.now();
    const terminal = this.#terminal;
    let detail = '';
    let frame = 0;
    const elapsed = () => `${((performance.now() - started) / 1000).toFixed(1)} s`;
    const draw = () => {
      const spinner = FRAMES[frame++ % FRAMES.length]!;
      terminal.write(
        `\r\u001b[K${terminal.cyan(spinner)} ${title.padEnd(12)} ${terminal.dim(`${detail} ${elapsed()}`)}`,
      );
    };
    const timer = terminal.interactive ? setInterval(draw, 100) : undefined;
    const settle = (line: string) => {
      clearInterval(timer);
      terminal.write(terminal.interactive ? `\r\u001b[K${line}\n` : `${line}\n`);
    };
    try {
      const result = await run((text) => {
        detail = text;
      });
      settle(`${terminal.green('✔')} ${title.padEnd(12)} ${result.said} ${terminal.dim(elapsed())}`);
      return result;
    } catch (error) {
      settle(`${terminal.red('✘')} ${title.padEnd(12)} ${(error as Error).message} ${terminal.dim(elapsed())}`);
      throw error;
    }
  }

  /** Indented lines between two steps: a table, a picture. */
  show(text: string): void {
    for (const line of text.trimEnd().split('\n')) this.#terminal.write(`    ${line}\n`);
  }
}
