/** The compiled addon, typed. Everything that the kernel is asked goes through here; see native/addon.h for its files. */
import { createRequire } from 'node:module';
import type { SystemError } from './errors.js';

export interface NativeSocket {
  readonly fd: number;
  bind(address: Uint8Array): void;
  connect(address: Uint8Array): void;
  getsockname(): Buffer;
  setsockopt(level: number, name: number, value: number | Uint8Array): void;
  getsockopt(level: number, name: number, length: number): Buffer;
  attachFilter(program: Uint8Array): void;
  send(data: Uint8Array, address: Uint8Array | undefined, flags: number): number;
  sendBatch(frames: readonly Uint8Array[], address: Uint8Array | undefined): number;
  sendPacked(packed: Uint8Array): number;
  /** Fills slots of the memory and four results for each message; returns how many. See receive.ts. */
  receive(max: number, flags: number, memory: Uint8Array, results: Int32Array): number;
  /** Returns what names it in the two that follow. */
  absorb(address: Uint8Array, data: Uint8Array, mask: Uint8Array): number;
  /** How long ago it came, ms; -1: not since this was asked last. */
  absorbed(place: number): number;
  heed(place: number): void;
  /** Calls once. */
  watch(place: number, patienceMs: number, onLate: () => void): void;
  /** Returns what names it in the two that follow. */
  repeat(packed: Uint8Array, everyMs: number, withinMs: number, agoMs: number, onMissed: () => void): number;
  /** How long ago it was sent last, ms. */
  repeated(place: number): number;
  cease(place: number): void;
  listen(callback: (failed: boolean) => void): void;
  stop(): void;
  poll(timeoutMs: number): boolean;
  ref(): void;
  unref(): void;
  close(): void;
}

export interface Native {
  Socket: new (
    domain: number,
    type: number,
    protocol: number,
    netns: string | undefined,
    messageSize: number,
    batch: number,
    gatherMicroseconds: number,
  ) => NativeSocket;
  constants: Record<string, number>;
  /** Returns what names it for `giveUp`; throws what fails at once. */
  exchange(
    address: Uint8Array,
    request: Uint8Array,
    enough: number,
    done: (error: SystemError | undefined, answer: string) => void,
  ): number;
  giveUp(number: number): void;
  inNetns<T>(path: string, fn: () => T): T;
  createNetns(directory: string, path: string): void;
  deleteNetns(path: string): void;
}

function load(): Native {
  const path = '../build/Release/raw_socket.node';
  try {
    return createRequire(import.meta.url)(path);
  } catch (cause) {
    const remedy = 'build it with `npm rebuild @fairlead/raw-socket` (a C compiler and Linux are needed)';
    const error = new Error(`@fairlead/raw-socket: its native addon cannot be loaded: ${remedy}`, { cause });
    throw Object.assign(error, { code: 'FL_ADDON_NOT_BUILT' });
  }
}

export const native: Native = load();
