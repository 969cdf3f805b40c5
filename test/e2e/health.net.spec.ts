/** What is forwarded to when nodes and real servers are not well: seen in the kernels of the nodes that are. */

import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { annotations } from '@fairlead/api';
import { createForwarder } from '@fairlead/ipvs';
import { type KubeObject, nodes, services } from '@fairlead/kube';
import type { LabNode } from '@fairlead/lab';
import { netnsPath } from '@fairlead/raw-socket';
import { expect } from 'chai';
import { block } from './block.js';
import { Cluster, PORT } from './cluster.js';

/** Longer than any step takes on a busy machine; nothing waits for it when all is well. */
const PATIENCE_MS = 180_000;
/** Kubernetes notices nothing while these tests run. */
const NODE_MONITOR_GRACE_MS = 3_600_000;
/** 3 s by design (packages/ipvs has the exact bound as a test); the rest is for a machine that has other things to do. */
const DEAD_NODE_MS = 30_000;

/** A network namespace's file is there a moment before it is one: until then it is of its folder's file system. */
function isThere(netns: string): boolean {
  const file = statSync(netnsPath(netns), { throwIfNoEntry: false });
  return file !== undefined && file.dev !== statSync(dirname(netnsPath(netns))).dev;
}

/** Prints status and body of the URL that it is given. */
const FETCH = `fetch(process.argv[1], { signal: AbortSignal.timeout(5000) })
  .then(async (response) => console.log(response.status + '\\n' + await response.text()), () => console.log('no answer'))`;

interface LiveService extends KubeObject {
  spec: { ports: { nodePort: number }[]; healthCheckNodePort?: number };
}

describe('real servers', function () {
  this.timeout(PATIENCE_MS);
  let cluster: Cluster;
  const vips = new Map<string, string>();
  let first: LabNode;
  let second: LabNode;
  let third: LabNode;

  before(async () => {
    cluster = await Cluster.start('nftables', { nodeMonitorGraceMs: NODE_MONITOR_GRACE_MS });
    await cluster.createPool('public', '10.77.0.200-10.77.0.215');
    await cluster.createService('web', 'public');
    await cluster.createService('local', 'public', PORT, { spec: { externalTrafficPolicy: 'Local' } });
    await cluster.createService('checked', 'public', PORT, { annotations: { [annotations.healthCheck]: 'http:/' } });
    for (const name of ['web', 'local', 'checked']) vips.set(name, await cluster.vipOf(name));
    [first, second, third] = cluster.lab.nodes as [LabNode, LabNode, LabNode];
  });
  after(() => cluster?.stop());

  /** Nodes that this node's kernel forwards new connections for a Service to, by name. */
  function usedBy(node: LabNode, service: string): string[] {
    if (!isThere(node.directorName)) return [];
    const forwarder = createForwarder({ kind: 'nftables', director: node.directorName });
    try {
      const server = forwarder.read().find(({ address }) => address === vips.get(service));
      const used = (server?.realServers ?? []).filter(({ weight }) => weight > 0).map(({ address }) => address);
      return cluster.lab.nodes.filter(({ lanAddress }) => used.includes(lanAddress)).map(({ name }) => name);
    } finally {
      forwarder.close();
    }
  }

  /** Nobody tells when a kernel has changed, so it is read until it has. */
  async function until(node: LabNode, service: string, expected: readonly LabNode[]): Promise<void> {
    const names = expected.map(({ name }) => name).join();
    while (usedBy(node, service).join() !== names) await sleep(50);
  }

  async function live(service: string): Promise<LiveService> {
    return cluster.lab.kube.get<LiveService>(services, { namespace: 'default', name: service });
  }

  it('are all nodes, while all are well', async () => {
    for (const service of ['web', 'local', 'checked']) {
      for (const node of cluster.lab.nodes) await until(node, service, [first, second, third]);
    }
  });

  it('of a Service with externalTrafficPolicy Local are those whose kube-proxy says so', async () => {
    const { spec } = await live('local');
    expect(spec.healthCheckNodePort).to.be.a('number');
    const unblock = await block(second, spec.healthCheckNodePort!);
    await until(first, 'local', [first, third]);
    expect(usedBy(first, 'web'), 'others are not concerned').to.have.length(3);
    await unblock();
    await until(first, 'local', [first, second, third]);
  });

  it('of a Service with a health check are those that pass it', async () => {
    const { spec } = await live('checked');
    const port = spec.ports[0]!.nodePort;
    const unblockSecond = await block(second, port);
    await until(first, 'checked', [first, third]);
    expect(usedBy(first, 'web'), 'others are not concerned').to.have.length(3);
    const unblockThird = await block(third, port);
    await until(first, 'checked', [first]);
    await unblockSecond();
    await unblockThird();
    await until(first, 'checked', [first, second, third]);
  });

  it('are counted for Prometheus, who is answered by the node and not by the VIP', async () => {
    const get = (url: string) => [process.execPath, '-e', FETCH, url];
    const { stdout } = await first.exec(get(`http://${first.lanAddress}:7480/metrics`));
    expect(stdout.split('\n')).to.include.members([
      '200',
      'fairlead_speaker_virtual_servers 3',
      'fairlead_speaker_real_servers 9',
      'fairlead_speaker_probe_targets{of="node",health="healthy"} 3',
      'fairlead_speaker_probe_targets{of="service",health="healthy"} 6',
      'fairlead_speaker_kernel_in_sync 1',
      'fairlead_speaker_scrape_errors_total 0',
    ]);
    const page = await first.exec(get(`http://${first.lanAddress}:7480/metrics/virtual-servers`));
    expect(page.stdout.match(/^fairlead_speaker_real_server_weight\{.*\} 1$/gm)).to.have.length(9);
    const controller = await cluster.lab.management.exec(get('http://127.0.0.1:7481/metrics'));
    expect(controller.stdout).to.match(/^fairlead_controller_leader 1$/m);
    const refused = await cluster.lab.client.exec(get(`http://${vips.get('web')}:7480/metrics`));
    expect(refused.stdout).to.equal('no answer\n');
  });

  it('do not include a node that was switched off, long before Kubernetes notices', async () => {
    third.crash();
    const crashedAt = performance.now();
    for (const node of [first, second]) {
      for (const service of ['web', 'local', 'checked']) await until(node, service, [first, second]);
    }
    const ms = performance.now() - crashedAt;
    expect(ms, 'ms').to.be.below(DEAD_NODE_MS);
    const node = await cluster.lab.kube.get<
      KubeObject & { status: { conditions: { type: string; status: string }[] } }
    >(nodes, { name: third.name });
    expect(node.status.conditions.find(({ type }) => type === 'Ready')?.status).to.equal('True');
  });
});
