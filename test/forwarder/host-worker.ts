/**
 * What runs on a host of the topology: a worker thread born into the host's network namespace, so that all sockets it
 * ever opens are there. Servers greet with their name and the address they see the client at, then echo.
 */
import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { connect, createServer, type Socket } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import type { Call, Calls, Target } from './host.js';

const { name } = workerData as { name: string };
const held = new Map<number, Socket>();
const datagrams = new Map<number, DatagramSocket>();
let nextHeld = 0;

function greeting(address: string | undefined): string {
  return `${name} ${address?.replace(/^::ffff:/, '')}`;
}

/** One line, or the error's code; 'ETIMEDOUT' when there is none in time. */
function line(socket: Socket, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const timer = setTimeout(() => done(() => reject(coded('ETIMEDOUT'))), timeoutMs);
    const onData = (data: Buffer) => {
      text += data;
      if (text.includes('\n')) done(() => resolve(text.slice(0, text.indexOf('\n'))));
    };
    const onError = (error: Error) => done(() => reject(error));
    const onClose = () => done(() => reject(coded('ECLOSED')));
    const done = (settle: () => void) => {
      clearTimeout(timer);
      socket
        .off('data', onData)
        .off('error', onError)
        .off('close', onClose)
        .on('error', () => {});
      settle();
    };
    socket.on('data', onData).on('error', onError).on('close', onClose);
  });
}

function coded(code: string): Error {
  return Object.assign(new Error(code), { code });
}

const methods: { [Name in keyof Calls]: (...args: Parameters<Calls[Name]>) => Promise<ReturnType<Calls[Name]>> } = {
  async listenTcp(port) {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.write(`${greeting(socket.remoteAddress)}\n`);
      socket.pipe(socket);
    });
    await new Promise<void>((resolve, reject) => server.on('error', reject).listen(port, '::', resolve));
  },

  async listenUdp(port) {
    const socket = createSocket('udp6');
    socket.on('message', (_, from) => socket.send(greeting(from.address), from.port, from.address));
    await new Promise<void>((resolve, reject) => socket.on('error', reject).bind(port, '::', resolve));
  },

  async tcp(target) {
    const socket = connect({ host: target.address, port: target.port });
    try {
      return await line(socket, target.timeoutMs);
    } finally {
      socket.destroy();
    }
  },

  udp(target) {
    const socket = createSocket(target.address.includes(':') ? 'udp6' : 'udp4');
    return new Promise<string>((resolve, reject) => {
      const timer = setTimeout(() => reject(coded('ETIMEDOUT')), target.timeoutMs);
      socket.on('message', (data) => resolve(data.toString()));
      socket.on('error', reject);
      // Connected, because only then does an ICMP error reach the socket.
      socket.connect(target.port, target.address, () => socket.send('?'));
      socket.on('close', () => clearTimeout(timer));
    }).finally(() => socket.close());
  },

  async hold(target) {
    const { address: host, port, localPort } = target;
    const socket = connect({ host, port, ...(localPort === undefined ? {} : { localPort }) });
    const first = await line(socket, target.timeoutMs);
    held.set(++nextHeld, socket);
    return { connection: nextHeld, greeting: first };
  },

  async echo(connection, text, timeoutMs) {
    const socket = held.get(connection)!;
    socket.write(`${text}\n`);
    return line(socket, timeoutMs);
  },

  async end(connection) {
    const socket = held.get(connection)!;
    held.delete(connection);
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.end();
    await closed;
  },

  async drop(connection) {
    held.get(connection)!.resetAndDestroy();
    held.delete(connection);
  },

  async openUdp(target) {
    const socket = createSocket(target.address.includes(':') ? 'udp6' : 'udp4');
    socket.on('error', () => {}); // whoever asks hears of it by silence
    await new Promise<void>((resolve) => socket.connect(target.port, target.address, () => resolve()));
    const id = ++nextHeld;
    datagrams.set(id, socket);
    return id;
  },

  askUdp(id, timeoutMs) {
    const socket = datagrams.get(id)!;
    return new Promise<string>((resolve, reject) => {
      const timer = setTimeout(() => reject(coded('ETIMEDOUT')), timeoutMs);
      socket.once('message', (data) => {
        clearTimeout(timer);
        resolve(data.toString());
      });
      socket.send('?');
    });
  },
};

parentPort!.on('message', ({ id, method, args }: Call) => {
  const call = methods[method] as (...args: unknown[]) => Promise<unknown>;
  call(...args).then(
    (result) => parentPort!.postMessage({ id, result }),
    (error: Error & { code?: string }) => parentPort!.postMessage({ id, error: error.code ?? error.message }),
  );
});

export type { Target };
