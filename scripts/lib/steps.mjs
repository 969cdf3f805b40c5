/**
 * What the scripts say: one line when a step starts, one when it ends with the time it took. Colours only where a
 * person sees them. Nothing is said about what needs no doing.
 */

/**
 * @param {NodeJS.WriteStream} stream @param {NodeJS.ProcessEnv} [env]
 * @returns {boolean} whether text written there may be coloured (https://no-color.org, https://force-color.org)
 */
export function hasColors(stream, env = process.env) {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== '0';
  return Boolean(stream.isTTY) && env.TERM !== 'dumb';
}

/**
 * Environment for programs whose output goes on to this process's stdout: some take CI=true for a person, and in the
 * guest they write to a pipe and would take a person for none.
 * @returns {Record<string, string>}
 */
export function terminalHints() {
  if (!hasColors(process.stdout)) return { NO_COLOR: '1' };
  return { FORCE_COLOR: '1', COLUMNS: String(process.stdout.columns ?? 80) };
}

/** @type {Record<'bold' | 'dim' | 'red' | 'green' | 'yellow', [number, number]>} */
const CODES = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39] };

/** @param {keyof typeof CODES} style @param {string} text @param {NodeJS.WriteStream} [stream] */
export function paint(style, text, stream = process.stdout) {
  const [on, off] = CODES[style];
  return hasColors(stream) ? `\x1b[${on}m${text}\x1b[${off}m` : text;
}

/** @param {number} ms */
export function formatDuration(ms) {
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** Steps go to stderr, so that stdout stays what the command itself prints. @param {string} text */
export function say(text) {
  process.stderr.write(`${text}\n`);
}

/**
 * Says `text`, does it, and says how long it took.
 * @template T @param {string} text @param {() => Promise<T>} action @returns {Promise<T>}
 */
export async function step(text, action) {
  const started = performance.now();
  say(`${paint('dim', '▸', process.stderr)} ${text} …`);
  try {
    const result = await action();
    const took = formatDuration(performance.now() - started);
    say(`${paint('green', '✔', process.stderr)} ${text} ${paint('dim', `(${took})`, process.stderr)}`);
    return result;
  } catch (error) {
    say(`${paint('red', '✘', process.stderr)} ${text}`);
    throw error;
  }
}
