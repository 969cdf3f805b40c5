/**
 * The requester process: sequential HTTP requests, each on a new connection, and one JSON line with what came back.
 *
 *     node requester.js ADDRESS PORT COUNT TIMEOUT_MS PATH
 */
import { get } from 'node:http';

const [address = '', port = '', count = '', timeout = '', path = '/'] = process.argv.slice(2);

function request(): Promise<{ body: string } | { error: string }> {
  return new Promise((resolve) => {
    const call = get(
      { host: address, port: Number(port), path, agent: false, timeout: Number(timeout) },
      (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          body += chunk;
        });
        response.on('end', () => resolve(response.statusCode === 200 ? { body } : { error: `${response.statusCode}` }));
        response.on('error', (error) => resolve({ error: error.message }));
      },
    );
    // `timeout` only speaks of silence on the socket, and connecting is silence too.
    call.on('timeout', () => call.destroy(Object.assign(new Error('timeout'), { code: 'timeout' })));
    call.on('error', (error: NodeJS.ErrnoException) => resolve({ error: error.code ?? error.message }));
  });
}

const answers: unknown[] = [];
const errors: string[] = [];
for (let i = 0; i < Number(count); i += 1) {
  const result = await request();
  if ('error' in result) errors.push(result.error);
  else answers.push(JSON.parse(result.body));
}
process.stdout.write(`${JSON.stringify({ answers, errors })}\n`);
