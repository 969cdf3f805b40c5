/**
 * What a daemon tells over HTTP: `/metrics` to Prometheus, `/healthz` and `/readyz` to kubelet. Nothing depends on it: a port that is
 * taken is said, and tried again, while the daemon does its work.
 */

import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import type { ListenAddress } from './listen-address.js';

export interface MetricsServerOptions {
  address: ListenAddress;
  log: Logger;
  /** Documents in Prometheus' text format, by path (`/metrics`, ...). */
  documents: Readonly<Record<string, () => Promise<string>>>;
  /** Why the daemon is not ready; undefined: it is. */
  notReady: () => string | undefined;
  retryMs?: number;
}

export interface MetricsServer {
  /** undefined while the port is not ours. */
  readonly port: number | undefined;
  close(): void;
}

const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
/** How soon a port that was taken is tried again, ms: a predecessor may be about to end. */
const RETRY_MS = 5_000;

/** Returns at once, whatever becomes of the port. */
export function serveMetrics(options: MetricsServerOptions): MetricsServer {
  const { address, log, retryMs = RETRY_MS } = options;
  const where = `${address.host?.includes(':') ? `[${address.host}]` : (address.host ?? '')}:${address.port}`;
  let retry: NodeJS.Timeout | undefined;
  let told: string | undefined;
  const server: Server = createServer((request, response) => {
    answer(options, request.url ?? '/', response).catch((error: Error) => {
      log.error({ err: error }, `could not answer ${request.url}: ${error.message}`);
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  });
  const listen = () => server.listen({ host: address.host, port: address.port });
  server.on('listening', () => {
    told = undefined;
    log.debug({ port: (server.address() as AddressInfo).port }, 'serving metrics');
  });
  server.on('error', (error: NodeJS.ErrnoException) => {
    if (told !== error.message) {
      const taken =
        error.code === 'EADDRINUSE' ? ': another process has this port; stop it, or' : `: ${error.message};`;
      log.error(
        { code: error.code },
        `could not serve metrics on ${where}${taken} choose another one with --metrics-address; trying again, everything else goes on`,
      );
    }
    told = error.message;
    clearTimeout(retry);
    retry = setTimeout(listen, retryMs);
    retry.unref();
  });
  server.unref();
  listen();
  return {
    get port() {
      return (server.address() as AddressInfo | null)?.port;
    },
    close() {
      clearTimeout(retry);
      server.close();
      server.closeAllConnections();
    },
  };
}

async function answer(options: MetricsServerOptions, url: string, response: ServerResponse): Promise<void> {
  const [path] = url.split('?') as [string];
  const reply = (status: number, text: string, type = 'text/plain; charset=utf-8') =>
    response.writeHead(status, { 'content-type': type }).end(text);
  if (path === '/healthz') return void reply(200, 'ok\n');
  if (path === '/readyz') {
    const why = options.notReady();
    return void (why === undefined ? reply(200, 'ok\n') : reply(503, `${why}\n`));
  }
  const document = Object.hasOwn(options.documents, path) ? options.documents[path] : undefined;
  if (document) return void reply(200, await document(), CONTENT_TYPE);
  reply(
    404,
    `there is nothing at ${path}; try ${['/healthz', '/readyz', ...Object.keys(options.documents)].join(', ')}\n`,
  );
}
