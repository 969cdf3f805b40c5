/**
 * The API server as a process:
 *
 *   node main.js [--listen HOST:PORT] [--socket PATH] [--service-cidr CIDR]...
 *
 * Prints one line of JSON on stdout when it listens, `{"ready":true,"addresses":[...]}`; ends at SIGTERM or SIGINT with 0.
 */
import { parseArgs } from 'node:util';
import { ApiServer, type ListenAddress } from './server.js';

function usage(problem: string): never {
  console.error(`${problem}\nusage: main.js [--listen HOST:PORT] [--socket PATH] [--service-cidr CIDR]...`);
  process.exit(2);
}

/** `10.78.0.1:6443`, `[::1]:0` or `http://10.78.0.1:6443`. */
function parseListen(text: string): ListenAddress {
  const match = /^(?:http:\/\/)?(?:\[([0-9a-fA-F:]+)\]|([^:/[\]]+)):(\d{1,5})\/?$/.exec(text);
  if (!match) usage(`--listen ${text}: not HOST:PORT`);
  return { host: match[1] ?? match[2]!, port: Number(match[3]) };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      listen: { type: 'string' },
      socket: { type: 'string' },
      'service-cidr': { type: 'string', multiple: true },
    },
  });
  const addresses: ListenAddress[] = [];
  if (values.listen !== undefined) addresses.push(parseListen(values.listen));
  if (values.socket !== undefined) addresses.push({ path: values.socket });
  if (addresses.length === 0) usage('nothing to listen on: give --listen or --socket');

  const cidrs = values['service-cidr'];
  const server = new ApiServer(cidrs ? { serviceCidrs: cidrs } : {});
  const urls: string[] = [];
  for (const address of addresses) urls.push((await server.listen(address)).url);
  process.stdout.write(`${JSON.stringify({ ready: true, addresses: urls, pid: process.pid })}\n`);

  const stop = (): void => {
    void server.close().then(() => process.exit(0));
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

main().catch((error: unknown) => {
  console.error(`The API server could not start: ${(error as Error).message}`);
  process.exit(1);
});
