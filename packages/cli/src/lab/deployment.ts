/** Fairlead itself in the embedded data centre: what `kubectl apply -k deploy/` does on a cluster, as processes of the lab. */

import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  customResourceDefinitions,
  isKubeError,
  type KubeClient,
  type KubeObject,
  namespaces,
  type Resource,
} from '@fairlead/kube';
import type { Lab, LabNode, LabProcess } from '@fairlead/lab';
import { parse } from 'yaml';

export type ForwarderChoice = 'auto' | 'ipvs' | 'nftables';

const cli = fileURLToPath(new URL('../main.js', import.meta.url));
const manifests = new URL('../../../../deploy/', import.meta.url);

/** Creates the namespace and the AddressPool CRD from the very manifests that a cluster gets. What is there already stays. */
export async function installManifests(kube: KubeClient): Promise<void> {
  await apply(kube, namespaces, 'namespace.yaml');
  await apply(kube, customResourceDefinitions, 'crd.yaml');
}

/** Starts the controller next to the API server, on the management network. */
export function startController(lab: Lab, extra: readonly string[] = []): LabProcess {
  const argv = [process.execPath, cli, 'controller', '--server', lab.server, '--identity', 'controller', ...extra];
  return lab.management.spawn('controller', argv);
}

/** Where speakers write down what they know. Not in the machine's own folder: the disk of a node that crashed and came back. */
export function stateFolder(lab: Lab): string {
  return join(dirname(lab.kubeconfig), 'disks');
}

/** Starts the speaker of a node, in the node's own network. */
export function startSpeaker(
  lab: Lab,
  node: LabNode,
  options: { forwarder?: ForwarderChoice; extra?: readonly string[] } = {},
): LabProcess {
  const argv = [process.execPath, cli, 'speaker', '--server', lab.server, '--node-name', node.name];
  argv.push('--state-dir', stateFolder(lab));
  argv.push('--director', node.directorName, '--forwarder', options.forwarder ?? 'auto', ...(options.extra ?? []));
  return node.spawn('speaker', argv);
}

async function apply(kube: KubeClient, resource: Resource, file: string): Promise<void> {
  const object = parse(await readFile(new URL(file, manifests), 'utf8')) as KubeObject;
  try {
    await kube.create(resource, object);
  } catch (error) {
    if (!isKubeError(error, 'FL_KUBE_ALREADY_EXISTS')) throw error;
  }
}
