/** A pod as a machine that commands can be run on. */
import { pods } from '@fairlead/kube';
import type { V1Pod } from '@kubernetes/client-node';
import { LabHost } from './host.js';
import type { Lab } from './lab.js';
import { LabError } from './lab-error.js';
import type { LabNode } from './node.js';
import type { LabProcess, SpawnOptions } from './process.js';

export class LabPod extends LabHost {
  readonly node: LabNode;
  /** Its address in the pod network. */
  readonly address: string;

  constructor(lab: Lab, name: string, node: LabNode, address: string) {
    super(lab.hostContext, name, `${node.netns}-p${address.slice(address.lastIndexOf('.') + 1)}`);
    this.node = node;
    this.address = address;
  }

  /** Ends with the pod's node as well. */
  override spawn(label: string, argv: readonly string[], options: SpawnOptions = {}): LabProcess {
    const child = super.spawn(label, argv, options);
    this.node.adopt(child);
    return child;
  }
}

/** The running pod of this name. @throws LabError FL_LAB_STATE when it does not run */
export async function podHost(lab: Lab, name: string, namespace = 'default'): Promise<LabPod> {
  const pod = await lab.kube.get<V1Pod>(pods, { namespace, name });
  const { nodeName } = pod.spec ?? {};
  const { podIP } = pod.status ?? {};
  if (!nodeName || !podIP)
    throw new LabError('FL_LAB_STATE', `pod ${namespace}/${name} does not run: ${pod.status?.phase}`);
  return new LabPod(lab, name, lab.node(nodeName), podIP);
}
