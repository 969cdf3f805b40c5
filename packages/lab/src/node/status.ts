/** What a kubelet writes into the status of its Node and of its pods; pure. */
import type { V1Node, V1NodeCondition, V1Pod, V1PodStatus } from '@kubernetes/client-node';
import type { AgentConfig } from './protocol.js';

const KUBELET_VERSION = 'v1.32.0'; // the first release in which ipMode is GA: what this node imitates

/** The Node object of a node that is up. */
export function nodeObject(config: AgentConfig, now: Date): V1Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: config.name,
      labels: {
        'kubernetes.io/hostname': config.name,
        'kubernetes.io/os': 'linux',
        'kubernetes.io/arch': process.arch === 'x64' ? 'amd64' : process.arch,
      },
    },
    spec: { podCIDR: config.podCidr, podCIDRs: [config.podCidr] },
    status: {
      addresses: [
        { type: 'InternalIP', address: config.lanAddress },
        { type: 'Hostname', address: config.name },
      ],
      conditions: [readyCondition(now)],
      capacity: { cpu: '1', memory: '1Gi', pods: '253' },
      allocatable: { cpu: '1', memory: '1Gi', pods: '253' },
      nodeInfo: {
        architecture: 'amd64',
        bootID: config.netns,
        containerRuntimeVersion: 'netns://1',
        kernelVersion: '',
        kubeletVersion: KUBELET_VERSION,
        kubeProxyVersion: KUBELET_VERSION,
        machineID: config.netns,
        operatingSystem: 'linux',
        osImage: 'fairlead lab',
        systemUUID: config.netns,
      },
    },
  };
}

function readyCondition(now: Date): V1NodeCondition {
  return {
    type: 'Ready',
    status: 'True',
    reason: 'KubeletReady',
    message: 'kubelet is posting ready status',
    lastHeartbeatTime: now,
    lastTransitionTime: now,
  };
}

/** The status of a pod whose containers run. */
export function runningStatus(pod: V1Pod, podIp: string, hostIp: string, startedAt: Date): V1PodStatus {
  const conditions = ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'];
  return {
    phase: 'Running',
    hostIP: hostIp,
    hostIPs: [{ ip: hostIp }],
    podIP: podIp,
    podIPs: [{ ip: podIp }],
    startTime: startedAt,
    conditions: conditions.map((type) => ({ type, status: 'True', lastTransitionTime: startedAt })),
    containerStatuses: (pod.spec?.containers ?? []).map(({ name, image }) => ({
      name,
      image: image ?? '',
      imageID: '',
      ready: true,
      started: true,
      restartCount: 0,
      state: { running: { startedAt } },
    })),
  };
}

/** Whether the API shows the pod as this kubelet runs it; a control plane that lost the node marks pods unready. */
export function showsRunning(pod: V1Pod, podIp: string): boolean {
  const ready = pod.status?.conditions?.find((condition) => condition.type === 'Ready');
  return pod.status?.phase === 'Running' && pod.status.podIP === podIp && ready?.status === 'True';
}
