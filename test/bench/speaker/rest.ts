/** What the groups of this benchmark have in common. */
import { fork } from 'node:child_process';
import type { Lab } from '@fairlead/lab';

/** Of the lab, on the LAN. */
const ROUTER = '10.77.0.1';

/** A process of Node that does nothing: what there is without a speaker. */
export function startNode(environment: Readonly<Record<string, string>> = {}): { pid: number; stop(): void } {
  const env = { ...process.env, ...environment };
  const child = fork(new URL('../controller/empty-process.js', import.meta.url), { execArgv: [], env });
  return { pid: child.pid!, stop: () => child.disconnect() };
}

/** A process of Node that wakes up ten times a second and sends so many packets, as far as that is what an owner does (bare-process.ts). */
export function startBare({ client, router }: Lab, packets: number): { pid: number; stop(): void } {
  const [sender, sink, destination] = [client.netns, router.netns, ROUTER];
  const argv = [`${packets}`, sender, sink, destination];
  const child = fork(new URL('./bare-process.js', import.meta.url), argv, { execArgv: [] });
  return { pid: child.pid!, stop: () => child.disconnect() };
}

/** Requests of Fairlead's processes to the API server so far, by client, verb and resource. Those of the lab's stand-ins do not count. */
export interface Requests {
  counts: Record<string, number>;
  /** Half-way between question and answer. */
  atMs: number;
}

export async function requestsOf(lab: Lab): Promise<Requests> {
  const askedMs = performance.now();
  const { stdout } = await lab.management.exec(['curl', '--silent', '--fail', `${lab.server}/metrics`]);
  const atMs = (askedMs + performance.now()) / 2;
  const samples = stdout.matchAll(/^apiserver_request_total\{client="(.*?)",resource="(.*?)",verb="(.*?)"\} (\d+)$/gm);
  const all = [...samples].map(([, client, resource, verb, count]) => ({ client, resource, verb, count }));
  const ours = all.filter(({ client }) => /^fairlead-(speaker|controller)/.test(client!));
  return {
    counts: Object.fromEntries(
      ours.map(({ client, verb, resource, count }) => [`${client} ${verb} ${resource}`, Number(count)]),
    ),
    atMs,
  };
}
