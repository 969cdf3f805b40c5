/** One TCP connection that lasts: a client that asks over and over on it, and tells when it is lost. */
import type { LabHost, LabProcess } from '@fairlead/lab';

/** Prints a line for each answer, `lost WHY` when the connection ends. HTTP without a library: a new connection must not replace a lost one. */
const TALKER = `
const [address, port, everyMs] = process.argv.slice(1);
const socket = require('node:net').connect({ host: address, port: Number(port) });
const lost = (why) => { console.log('lost ' + why); process.exit(0); };
socket.on('error', (error) => lost(error.code));
socket.on('close', () => lost('closed'));
let heard = '';
socket.setNoDelay(true);
socket.on('data', (data) => {
  heard += data;
  for (let end; (end = heard.indexOf('}\\n')) >= 0; heard = heard.slice(end + 2)) console.log(heard.slice(heard.indexOf('{'), end + 1));
});
socket.on('connect', () => setInterval(() => socket.write('GET / HTTP/1.1\\r\\nHost: vip\\r\\n\\r\\n'), Number(everyMs)));
`;

export class Talk {
  /** Why the connection was lost; undefined while it lives. */
  lost: string | undefined;
  /** Where it leads, as the first answer said. */
  pod: string | undefined;
  #answers = 0;
  readonly #process: LabProcess;
  #waiting: (() => void)[] = [];

  /** @param askEveryMs whether it has been answered or not */
  constructor(host: LabHost, address: string, port: number, askEveryMs: number) {
    this.#process = host.spawn('talk', [process.execPath, '-e', TALKER, address, String(port), String(askEveryMs)]);
    this.#process.on('line', (line, stream) => {
      if (stream !== 'stdout') return;
      if (line.startsWith('lost ')) this.lost = line.slice(5);
      else this.pod ??= (JSON.parse(line) as { pod: string }).pod;
      this.#answers++;
      for (const wake of this.#waiting.splice(0)) wake();
    });
  }

  /** Resolves when it has been answered so many times more, or is lost. */
  async goesOn(times: number): Promise<void> {
    for (const enough = this.#answers + times; this.#answers < enough && this.lost === undefined; ) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  end(): void {
    this.#process.signal('SIGKILL');
  }
}
