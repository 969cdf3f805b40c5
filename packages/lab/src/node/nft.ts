/** Transactions of nft, iptables and ipset in the network namespace of this process. */
import { spawn } from 'node:child_process';

/** Loads `text` as one transaction: all of it or nothing. Rejects with what nft said and the line it said it about. */
export function loadNft(text: string): Promise<void> {
  return feed(['nft', '--file', '-'], text);
}

/**
 * Runs a command that reads `text`. Rejects with the first line of what it said, and with the line of `text` that it said it
 * about where it names one (`:12:`, `line 12`).
 */
export function feed([command = '', ...args]: readonly string[], text = ''): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      stderr += chunk;
    });
    child.on('error', (cause) => reject(new Error(`could not run ${command}: ${cause.message}`, { cause })));
    child.on('close', (code) => {
      if (code === 0) return resolve();
      const line = /(?::|[Ll]ine:? )(\d+)\b/.exec(stderr)?.[1];
      const context = line === undefined ? '' : `; line ${line}: ${text.split('\n')[Number(line) - 1] ?? ''}`;
      reject(new Error(`${command} refused: ${stderr.trim().split('\n')[0] || `status ${code}`}${context}`));
    });
    child.stdin.on('error', () => {}); // it gave up before it read everything: its status says so
    child.stdin.end(text);
  });
}
