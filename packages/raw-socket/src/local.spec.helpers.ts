/** Datagram sockets that need no rights and no network: AF_UNIX, with abstract addresses that the kernel chooses. */
import { constants } from './constants.js';
import { type Message, RawSocket, type SocketOptions } from './index.js';

const FAMILY_ONLY = Buffer.from(new Uint16Array([constants.AF_UNIX]).buffer);

export function localSocket(options: Partial<SocketOptions> = {}): RawSocket {
  const socket = new RawSocket({ domain: constants.AF_UNIX, type: constants.SOCK_DGRAM, protocol: 0, ...options });
  socket.bind(FAMILY_ONLY);
  return socket;
}

/** Resolves with the first `count` messages that the socket hears, and stops listening. */
export function hear(socket: RawSocket, count: number): Promise<Message[]> {
  const heard: Message[] = [];
  return new Promise((resolve, reject) => {
    socket.onMessages((messages) => {
      heard.push(...messages);
      if (heard.length < count) return;
      socket.onMessages(null);
      resolve(heard);
    }, reject);
  });
}

export const texts = (messages: Message[]): string[] => messages.map(({ data }) => data.toString());
