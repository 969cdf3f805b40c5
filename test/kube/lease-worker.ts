/** One contender in a worker thread, as the speaker runs its locks: `{ server, namespace, identity }` in, events out. */
import { parentPort, workerData } from 'node:worker_threads';
import { KubeClient, resolveConfig } from '@fairlead/kube';
import { LeaseLock } from '@fairlead/lease-lock';
import { LOCK } from './lock-options.js';

const { server, namespace, identity } = workerData as Record<'server' | 'namespace' | 'identity', string>;
const client = new KubeClient(await resolveConfig({ server }));
const lock = new LeaseLock({
  client,
  namespace,
  identity,
  ...LOCK,
});
lock.on('acquired', () => parentPort?.postMessage('acquired'));
lock.on('lost', () => parentPort?.postMessage('lost'));
lock.start();
parentPort?.once('message', async () => {
  await lock.stop({ release: true });
  await client.close();
  parentPort?.postMessage('stopped');
  parentPort?.close();
});
