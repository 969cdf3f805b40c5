/** Pods that say who answered. */
import { Informer, pods } from '@fairlead/kube';
import type { V1Pod } from '@kubernetes/client-node';
import { isPodReady } from '../control-plane/desired-slices.js';
import type { Lab } from './lab.js';
import { LabError } from './lab-error.js';

export type EchoOptions = {
  /** Value of their label `app`, and the beginning of their names. */
  name: string;
  namespace?: string;
  /** Where they listen; default 8080. */
  port?: number;
  timeoutMs?: number;
} & (
  | { /** So many, wherever the scheduler puts them. */ replicas: number }
  | { /** So many on every node. */ perNode: number }
);

/** Creates echo pods and waits until all are ready. Returns their names. */
export async function deployEcho(lab: Lab, options: EchoOptions): Promise<string[]> {
  const { name, namespace = 'default', port = 8080, timeoutMs = 60_000 } = options;
  const places =
    'perNode' in options
      ? lab.nodes.flatMap((node) => Array.from({ length: options.perNode }, () => node.name))
      : Array.from({ length: options.replicas }, () => undefined);
  const created = places.map((nodeName, i) =>
    echoPod({ name: `${name}-${i + 1}`, namespace, app: name, port, nodeName }),
  );
  const names = new Set(created.map((pod) => pod.metadata!.name!));

  const informer = new Informer<V1Pod>({ client: lab.kube, resource: pods, namespace, labelSelector: `app=${name}` });
  let timer: NodeJS.Timeout | undefined;
  try {
    const ready = new Promise<void>((resolve, reject) => {
      const waiting = () => [...names].filter((n) => !isReady(informer.get(`${namespace}/${n}`)));
      const look = () => {
        if (waiting().length === 0) resolve();
      };
      informer.on('add', look).on('update', look).on('error', reject);
      timer = setTimeout(() => {
        const message = `pods were not ready after ${timeoutMs / 1000} s: ${waiting().join(', ')}`;
        reject(new LabError('FL_LAB_TIMEOUT', message));
      }, timeoutMs);
      if (names.size === 0) resolve();
    });
    informer.start();
    await Promise.all([ready, ...created.map((pod) => lab.kube.create(pods, pod))]);
    return [...names];
  } finally {
    clearTimeout(timer);
    await informer.stop();
  }
}

function isReady(pod: V1Pod | undefined): boolean {
  return pod !== undefined && isPodReady(pod);
}

interface EchoPod {
  name: string;
  namespace: string;
  app: string;
  port: number;
  nodeName: string | undefined;
}

function echoPod({ name, namespace, app, port, nodeName }: EchoPod): V1Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { app } },
    spec: {
      containers: [{ name: 'echo', image: 'lab/echo', ports: [{ name: 'http', containerPort: port }] }],
      ...(nodeName === undefined ? {} : { nodeName }),
    },
  };
}
