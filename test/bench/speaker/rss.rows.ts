/**
 * Memory of a speaker with 5,000 Services of two ports each, all of whose VIPs it owns and has announced, once it has come to rest; beside
 * that of a process of Node that does nothing. With the environment that the DaemonSet gives it.
 */

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createNetns, deleteNetns, inNetns, listNetns } from '@fairlead/raw-socket';
import { lay, OBSERVER_IPV4, runIn, STATION_IPV4 } from '../cable.js';
import { deployedEnvironment } from '../deployed.js';
import type { GroupContext, RowGroup } from '../groups.js';
import { memory } from '../process-figures.js';
import { judge } from '../row.js';
import { startNode } from './rest.js';

const SERVICES = 5_000;
const LIMIT_MIB = 150;
const MIB = 1024 * 1024;
const API_SERVER = fileURLToPath(new URL('api-server.js', import.meta.url));
const CLI = fileURLToPath(new URL('../../../../packages/cli/dist/main.js', import.meta.url));
const API_PORT = 6443;
const HEALTH_PORT = 10_256;
const READY_TIMEOUT_MS = 300_000;
/** Events of all Services, the two audits that read the whole table, and the pause after which V8 gives memory back. */
const REST_MS = 120_000;
const environment = deployedEnvironment('speaker.yaml');

export const rows: RowGroup = {
  name: 'rss',
  run: async (context) => {
    const empty = startNode(environment);
    try {
      const { rest, peak } = await measure(context);
      return [
        judge({
          name: `speaker.rss.${SERVICES}`,
          value: Math.round(Math.max(...rest)),
          unit: 'MiB',
          limit: LIMIT_MIB,
          samples: rest.map((mib) => Math.round(mib)),
        }),
        judge({ name: `speaker.rss.${SERVICES}.peak`, value: Math.round(peak), unit: 'MiB' }),
        judge({ name: 'speaker.rss.empty-node', value: Math.round(memory(empty.pid).now / MIB), unit: 'MiB' }),
      ];
    } finally {
      empty.stop();
    }
  },
};

/** `rest`: a second apart, as many as windows were asked for; MiB. */
async function measure(context: GroupContext): Promise<{ rest: number[]; peak: number }> {
  const id = `fl-${randomBytes(3).toString('hex')}`;
  const [station, observer, director] = ['station', 'observer', 'dir'].map((name) => `${id}-${name}`) as [
    string,
    string,
    string,
  ];
  const state = `/tmp/${id}`;
  const children: ReturnType<typeof runIn>[] = [];
  const health = createServer((_, response) => response.end());
  try {
    for (const netns of [station, observer]) createNetns(netns);
    lay(station, observer);
    // Without a host it listens at once, and so in the namespace.
    inNetns(station, () => {
      health.listen(HEALTH_PORT);
      // As on a node of a cluster.
      for (const family of ['ipv4/ip_forward', 'ipv6/conf/all/forwarding'])
        writeFileSync(`/proc/sys/net/${family}`, '1');
    });
    context.step(`an API server with ${SERVICES} Services`);
    const addresses = ['--station', STATION_IPV4, '--observer', OBSERVER_IPV4];
    const api = runIn(
      observer,
      [API_SERVER, '--port', `${API_PORT}`, '--services', `${SERVICES}`, ...addresses],
      'pipe',
    );
    children.push(api);
    await said(api.stdout!, 'listening');
    const options = ['--node-name', 'station', '--director', director, '--forwarder', 'auto', '--state-dir', state];
    const argv = [CLI, 'speaker', '--server', `http://${OBSERVER_IPV4}:${API_PORT}`, ...options];
    const speaker = runIn(station, argv, 'inherit', 'pipe', environment);
    children.push(speaker);
    await said(speaker.stderr!, '"ready"');
    speaker.stderr!.resume();
    context.step(`it is ready, with ${Math.round(memory(speaker.pid!).now / MIB)} MiB`);
    await sleep(REST_MS, undefined, { signal: context.signal });
    const rest: number[] = [];
    while (rest.length < context.samples) {
      rest.push(memory(speaker.pid!).now / MIB);
      await sleep(1_000);
    }
    return { rest, peak: memory(speaker.pid!).peak / MIB };
  } finally {
    health.close();
    for (const child of children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    const there = listNetns();
    for (const netns of [station, observer, director]) if (there.includes(netns)) deleteNetns(netns);
    rmSync(state, { recursive: true, force: true });
  }
}

/** Resolves when a line has the text. */
async function said(stream: NodeJS.ReadableStream, text: string): Promise<void> {
  const lines: string[] = [];
  const late = AbortSignal.timeout(READY_TIMEOUT_MS);
  for await (const line of createInterface({ input: stream, signal: late })) {
    lines.push(line);
    if (line.includes(text)) return;
  }
  throw new Error(`"${text}" was not said:\n${lines.slice(-10).join('\n')}`);
}
