/** nft transactions in the network namespace of this process. */
import { spawn } from 'node:child_process';

/** Loads `text` as one transaction: all of it or nothing. Rejects with what nft said and the line it said it about. */
export function loadNft(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('nft', ['--file', '-'], { stdio: ['pipe', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      stderr += chunk;
    });
    child.on('error', (cause) => reject(new Error(`could not run nft: ${cause.message}`, { cause })));
    child.on('close', (code) => {
      if (code === 0) return resolve();
      const line = /:(\d+):/.exec(stderr)?.[1];
      const context = line === undefined ? '' : `; line ${line}: ${text.split('\n')[Number(line) - 1] ?? ''}`;
      reject(new Error(`nft refused the rules: ${stderr.trim().split('\n')[0] ?? `status ${code}`}${context}`));
    });
    child.stdin.on('error', () => {}); // nft gave up before it read everything: its status says so
    child.stdin.end(text);
  });
}
