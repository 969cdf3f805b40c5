/**
 * One speaker a host. Two of them would hold each other's Leases, as both go by the name of the node, and answer for the same VIPs.
 *
 * An abstract socket (unix(7)) of the host's network namespace is the token: it cannot be left behind, not even by SIGKILL, and whoever waits
 * for it hears at once when its holder ends, so that the new one of an upgrade may be started before the old one stops.
 */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

const NAME = '\0fairlead-speaker';

export interface SoleSpeaker {
  /** Lets the next one in. */
  close(): void;
}

/** Resolves when this process is the only one; `onWait` is called when another one has to end first. */
export async function becomeSole(onWait: () => void, name = NAME): Promise<SoleSpeaker> {
  for (let waited = false; ; waited = true) {
    const server = await listen(name);
    if (server) return server;
    if (!waited) onWait();
    await gone(name);
  }
}

/** undefined: somebody else listens there. */
async function listen(name: string): Promise<SoleSpeaker | undefined> {
  const waiting = new Set<Socket>();
  const server = createServer((socket) => {
    waiting.add(socket.unref().on('error', () => {}));
    socket.on('close', () => waiting.delete(socket));
  }).listen(name);
  try {
    await once(server, 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return undefined;
    throw error;
  }
  server.unref();
  return {
    close: () => {
      server.close();
      for (const socket of waiting) socket.destroy();
    },
  };
}

/** Resolves when who listened there does so no more. */
async function gone(name: string): Promise<void> {
  const socket = connect(name);
  socket.on('error', () => {}); // gone already, or killed
  await new Promise((resolve) => socket.once('close', resolve));
}
