/** A host of the topology: its network namespace, and a thread in it that serves and asks. */
import { Worker } from 'node:worker_threads';
import { constants, inNetns, RawSocket, sockaddrIn, sockaddrIn6 } from '@fairlead/raw-socket';
import { ECHO_IDENTIFIER, echoRequest, ICMP_ECHO_REPLY, icmpOf, icmpSocket } from './icmp.js';

export interface Target {
  address: string;
  port: number;
  timeoutMs: number;
  /** The client's port; any free one by default. */
  localPort?: number;
}

/** What the thread can do; see host-worker.ts. */
export interface Calls {
  listenTcp(port: number): void;
  listenUdp(port: number): void;
  tcp(target: Target): string;
  udp(target: Target): string;
  hold(target: Target): { connection: number; greeting: string };
  echo(connection: number, text: string, timeoutMs: number): string;
  end(connection: number): void;
  drop(connection: number): void;
  openUdp(target: Target): number;
  askUdp(socket: number, timeoutMs: number): string;
}

export interface Call {
  id: number;
  method: keyof Calls;
  args: unknown[];
}

/** Long enough for a slow machine under load; only what shall fail waits for the shorter one. */
export const ANSWER_MS = 20_000;
export const SILENCE_MS = 400;

export interface Answer {
  /** Name of the host that answered. */
  server: string;
  /** The client's address as that host sees it. */
  seen: string;
}

/** A connection that stays open. `echo`: what comes back; rejects with 'ETIMEDOUT' when nothing does. */
export interface Held extends Answer {
  echo(text: string, timeoutMs?: number): Promise<string>;
  /** Resolves when both sides have closed it. */
  close(): Promise<void>;
  /** Ends it by a reset: no TIME_WAIT stays anywhere. */
  drop(): Promise<void>;
}

const IPPROTO_ICMPV6 = 58;

export class Host {
  readonly name: string;
  readonly netns: string;
  readonly #worker: Worker;
  readonly #pending = new Map<number, { resolve: (result: never) => void; reject: (error: Error) => void }>();
  #calls = 0;

  constructor(name: string, netns: string) {
    this.name = name;
    this.netns = netns;
    // A thread is born into the network namespace of the thread that makes it.
    this.#worker = inNetns(
      netns,
      () => new Worker(new URL('./host-worker.js', import.meta.url), { workerData: { name } }),
    );
    this.#worker.unref(); // whoever waits for an answer keeps the process alive
    this.#worker.on('message', ({ id, result, error }: { id: number; result?: never; error?: string }) => {
      const { resolve, reject } = this.#pending.get(id)!;
      this.#pending.delete(id);
      if (error === undefined) resolve(result as never);
      else reject(Object.assign(new Error(`${name}: ${error}`), { code: error }));
    });
    this.#worker.on('error', (error) => {
      for (const { reject } of this.#pending.values()) reject(error);
    });
  }

  listen(port: number, protocol: 'tcp' | 'udp' = 'tcp'): Promise<void> {
    return protocol === 'tcp' ? this.#call('listenTcp', port) : this.#call('listenUdp', port);
  }

  /** One connection (or datagram): who answers, and which address does it see? Rejects with a `code`. */
  async ask(
    address: string,
    port: number,
    options: { protocol?: 'tcp' | 'udp'; timeoutMs?: number } = {},
  ): Promise<Answer> {
    const { protocol = 'tcp', timeoutMs = ANSWER_MS } = options;
    const [server = '', seen = ''] = (await this.#call(protocol, { address, port, timeoutMs })).split(' ');
    return { server, seen };
  }

  /** As many connections one after the other; who answered how often. */
  async askMany(times: number, address: string, port: number): Promise<Record<string, number>> {
    const answers: Record<string, number> = {};
    for (let n = 0; n < times; n++) {
      const { server } = await this.ask(address, port);
      answers[server] = (answers[server] ?? 0) + 1;
    }
    return answers;
  }

  /** What goes wrong when it asks: a code such as 'ECONNREFUSED'; 'ETIMEDOUT' for silence; 'answered' when nothing does. */
  async failure(
    address: string,
    port: number,
    protocol: 'tcp' | 'udp' = 'tcp',
    timeoutMs = SILENCE_MS,
  ): Promise<string> {
    try {
      await this.ask(address, port, { protocol, timeoutMs });
      return 'answered';
    } catch (error) {
      return (error as { code: string }).code;
    }
  }

  /** Opens a connection that stays open. */
  async hold(address: string, port: number, options: { localPort?: number } = {}): Promise<Held> {
    const { connection, greeting } = await this.#call('hold', { address, port, timeoutMs: ANSWER_MS, ...options });
    const [server = '', seen = ''] = greeting.split(' ');
    return {
      server,
      seen,
      echo: (text, timeoutMs = ANSWER_MS) => this.#call('echo', connection, text, timeoutMs),
      close: () => this.#call('end', connection),
      drop: () => this.#call('drop', connection),
    };
  }

  /** A socket that sends all its datagrams from one port; each call says which server answers. */
  async holdUdp(address: string, port: number): Promise<() => Promise<string>> {
    const socket = await this.#call('openUdp', { address, port, timeoutMs: ANSWER_MS });
    return async () => (await this.#call('askUdp', socket, ANSWER_MS)).split(' ')[0]!;
  }

  /** Whether an ICMP echo request is answered. */
  ping(address: string, timeoutMs = ANSWER_MS): boolean {
    return address.includes(':') ? this.#ping6(address, timeoutMs) : this.#ping4(address, timeoutMs);
  }

  #ping4(address: string, timeoutMs: number): boolean {
    const socket = icmpSocket(this.netns);
    socket.send(echoRequest(), sockaddrIn({ address, port: 0 }));
    return answered(socket, timeoutMs, (data) => {
      const reply = icmpOf(data);
      return reply[0] === ICMP_ECHO_REPLY && reply.readUInt16BE(4) === ECHO_IDENTIFIER;
    });
  }

  #ping6(address: string, timeoutMs: number): boolean {
    const { AF_INET6: domain, SOCK_RAW: type } = constants;
    const socket = new RawSocket({ domain, type, protocol: IPPROTO_ICMPV6, netns: this.netns });
    // type, code, checksum (the kernel fills it in), identifier, sequence
    socket.send(Buffer.from([128, 0, 0, 0, 0x4d, 0x4d, 0, 1]), sockaddrIn6({ address, port: 0 }));
    return answered(socket, timeoutMs, (reply) => reply[0] === 129 && reply.readUInt16BE(4) === ECHO_IDENTIFIER);
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #call<Name extends keyof Calls>(method: Name, ...args: Parameters<Calls[Name]>): Promise<ReturnType<Calls[Name]>> {
    const id = ++this.#calls;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#worker.postMessage({ id, method, args } satisfies Call);
    });
  }
}

/** Waits for a message that `isAnswer`, and closes the socket. */
function answered(socket: RawSocket, timeoutMs: number, isAnswer: (data: Buffer) => boolean): boolean {
  try {
    const deadline = performance.now() + timeoutMs;
    for (let left = timeoutMs; left > 0; left = Math.ceil(deadline - performance.now())) {
      if (!socket.poll(left)) return false;
      if (socket.receive().some(({ data }) => isAnswer(data))) return true;
    }
    return false;
  } finally {
    socket.close();
  }
}
