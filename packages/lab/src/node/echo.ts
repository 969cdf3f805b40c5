/** The workload of every pod: an HTTP server that says who answered and whom it saw. */
import { createServer, type Server } from 'node:http';
import { inNetns } from '@fairlead/raw-socket';

/** A connection that stands still is lost when its client says so, and not after 5 s, as by default. */
const IDLE_MS = 600_000;

/** The JSON that a pod answers any request with. */
export interface EchoAnswer {
  pod: string;
  node: string;
  /** Address of the client as the pod saw it: the node's where kube-proxy masqueraded. */
  client: string;
}

/**
 * Listens on `port` inside the pod's network namespace; sockets accepted there live there too.
 * `listen` without a host name binds before it returns, which is what makes this possible from outside.
 */
export function serveEcho(
  netns: string,
  port: number,
  identity: { pod: string; node: string },
  onError: (error: Error) => void,
): Server {
  const server = createServer({ keepAliveTimeout: IDLE_MS }, (request, response) => {
    const client = (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '');
    const answer: EchoAnswer = { ...identity, client };
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(`${JSON.stringify(answer)}\n`);
  });
  server.on('error', onError);
  // Clients that only connect and reset, as probes do.
  server.on('clientError', (_, socket) => socket.destroy());
  inNetns(netns, () => server.listen(port));
  return server;
}
