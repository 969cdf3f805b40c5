/**
 * A node's daemons in one process: kubelet, CNI and kube-proxy stand-ins. It runs in the node's network namespace and
 * knows the cluster only by the API server, over the management network.
 */
import { endpointSlices, Informer, KubeClient, nodes, pods, services } from '@fairlead/kube';
import type { V1EndpointSlice, V1Node, V1Pod, V1Service } from '@kubernetes/client-node';
import { Cni, masqueradeRules } from './cni.js';
import { Expectations } from './expectations.js';
import { HealthCheckServers, healthCheckPorts, ProxyHealth, serveProxyHealth } from './kube-proxy/health.js';
import { IptablesMode } from './kube-proxy/iptables-mode.js';
import { IpvsMode } from './kube-proxy/ipvs-mode.js';
import type { ProxyMode, ProxyModeName } from './kube-proxy/mode.js';
import { NftablesMode } from './kube-proxy/nftables-mode.js';
import { Proxier } from './kube-proxy/proxier.js';
import type { ProxyNode } from './kube-proxy/service-ports.js';
import { Kubelet } from './kubelet.js';
import { feed, loadNft } from './nft.js';
import type { AgentConfig } from './protocol.js';

export interface Agent {
  /** What others wait for in the rules of this node. */
  expectations: Expectations;
}

/** Starts everything; resolves when the Node is registered and kube-proxy has loaded its first rules. */
export async function startAgent(config: AgentConfig, onError: (error: Error) => void): Promise<Agent> {
  const client = new KubeClient({ server: config.server, userAgent: `fairlead-lab-node/${config.name}` });
  const informers = {
    nodes: new Informer<V1Node>({ client, resource: nodes }),
    pods: new Informer<V1Pod>({ client, resource: pods, fieldSelector: `spec.nodeName=${config.name}` }),
    services: new Informer<V1Service>({ client, resource: services }),
    slices: new Informer<V1EndpointSlice>({ client, resource: endpointSlices }),
  };
  const cni = new Cni(config.netns, config.podCidr);
  const kubelet = new Kubelet({ config, client, cni, nodes: informers.nodes, pods: informers.pods, onError });
  const health = new ProxyHealth(Date.now);
  const healthChecks = new HealthCheckServers(config.lanAddress, health, onError);
  const expectations = new Expectations();

  const routePods = (node: V1Node) => {
    if (node.metadata?.name !== config.name) cni.routePods(node);
    else health.nodeSeen(node);
  };
  informers.nodes.on('add', routePods);
  informers.nodes.on('update', routePods);

  const firstRules = new Promise<void>((resolve) => {
    const node = { name: config.name, address: config.lanAddress, clusterCidr: config.clusterCidr };
    const proxier = new Proxier({
      node,
      mode: proxyMode(config.proxyMode, node),
      services: () => informers.services.list(),
      slices: () => informers.slices.list(),
      health,
      onSynced: (ports) => {
        healthChecks.sync(healthCheckPorts(ports));
        expectations.rulesLoaded(ports);
        resolve();
      },
      onError,
    });
    // Rules for half of the Services would cut off the other half: as kube-proxy does, wait until all are known.
    const begin = () => {
      for (const informer of [informers.services, informers.slices] as Informer<object>[]) {
        for (const event of ['add', 'update', 'delete'] as const) informer.on(event, () => proxier.queue());
      }
      proxier.queue();
    };
    Promise.all([informers.services.synced, informers.slices.synced]).then(begin, onError);
  });

  await Promise.all([serveProxyHealth(health), loadNft(masqueradeRules(config.podCidr, config.clusterCidr))]);
  await kubelet.register();
  for (const informer of Object.values(informers)) {
    informer.on('error', onError);
    informer.start();
  }
  await Promise.all([firstRules, informers.nodes.synced, informers.pods.synced]);
  return { expectations };
}

function proxyMode(name: ProxyModeName, node: ProxyNode): ProxyMode {
  if (name === 'iptables') return new IptablesMode(node, feed);
  return name === 'ipvs' ? new IpvsMode(node, feed) : new NftablesMode(node, loadNft);
}
