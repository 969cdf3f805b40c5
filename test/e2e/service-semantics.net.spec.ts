/** What a Service wishes beyond ports, seen by clients: from the Service in the API server through to the packets. */
import { annotations } from '@fairlead/api';
import { until } from '@fairlead/cli';
import { createForwarder } from '@fairlead/ipvs';
import { events, Informer, type KubeObject } from '@fairlead/kube';
import { deployEcho, type LabHost, type RequestsReport, sendRequests } from '@fairlead/lab';
import { expect } from 'chai';
import { Cluster, PORT } from './cluster.js';

/** Longer than any step takes on a slow machine; nothing waits for it when all is well. */
const PATIENCE_MS = 300_000;

interface EventObject extends KubeObject {
  reason?: string;
  message?: string;
  involvedObject?: { name?: string };
}

describe('what a Service wishes', function () {
  this.timeout(PATIENCE_MS);
  let cluster: Cluster;
  let told: Informer<EventObject>;

  before(async () => {
    cluster = await Cluster.start('nftables');
    told = new Informer<EventObject>({ client: cluster.lab.kube, resource: events });
    told.start();
    await cluster.createPool('public', '10.77.0.200-10.77.0.215');
    // One Pod somewhere, so that most nodes have none; every Service below that is "alone" is for it.
    await deployEcho(cluster.lab, { name: 'alone', namespace: 'default', replicas: 1, port: PORT });
  });
  after(async () => {
    void told?.stop();
    await cluster?.stop();
  });

  async function serve(
    name: string,
    wishes: Parameters<Cluster['createService']>[3],
    client?: LabHost,
  ): Promise<string> {
    await cluster.createService(name, 'public', PORT, wishes);
    const vip = await cluster.vipOf(name);
    await cluster.served(vip, client && { client });
    return vip;
  }

  async function requests(address: string, count: number, from = cluster.lab.client): Promise<RequestsReport> {
    return sendRequests(from, { address, port: PORT, count, timeoutMs: 20_000 });
  }

  /** `address:port` of the real servers, as every node's kernel has them. */
  function realServers(vip: string): string[][] {
    return cluster.lab.nodes.map(({ directorName }) => {
      const engine = createForwarder({ kind: 'nftables', director: directorName });
      try {
        const server = engine.read().find(({ address }) => address === vip);
        return server!.realServers.filter(({ weight }) => weight > 0).map(({ address, port }) => `${address}:${port}`);
      } finally {
        engine.close();
      }
    });
  }

  it('externalTrafficPolicy Local: only the nodes with its Pods get its connections, and somebody says what that does not do', async () => {
    const vip = await serve('local', { spec: { selector: { app: 'alone' }, externalTrafficPolicy: 'Local' } });
    // kube-proxy drops what comes to other nodes.
    expect((await requests(vip, 12)).errors).to.deep.equal({});
    for (const real of realServers(vip)) expect(real).to.have.length(1);
    const event = await until(told, 'an Event about the client’s address', (object) =>
      object.reason === 'ClientAddressNotKept' && object.involvedObject?.name === 'local' ? object : undefined,
    );
    expect(event.message).to.contain('loadBalancerSourceRanges');
  });

  it('loadBalancerSourceRanges: who is not in them is not let in', async () => {
    const { client, outside } = cluster.lab;
    const vip = await serve('ranges', { spec: { loadBalancerSourceRanges: ['10.79.0.0/24'] } }, outside);
    expect((await requests(vip, 3, outside)).errors).to.deep.equal({});
    const refused = await sendRequests(client, { address: vip, port: PORT, count: 1, timeoutMs: 1_000 });
    expect(refused.failures).to.equal(1);
  });

  it('sessionAffinity ClientIP: a client stays with one Pod', async () => {
    const vip = await serve('sticky', { spec: { sessionAffinity: 'ClientIP' } });
    const { perPod, errors } = await requests(vip, 12);
    expect(errors).to.deep.equal({});
    expect(Object.values(perPod)).to.deep.equal([12]);
  });

  it('no NodePorts: connections go to its Pods, and to no others', async () => {
    const vip = await serve('pods', { spec: { allocateLoadBalancerNodePorts: false } });
    const { perPod, errors } = await requests(vip, 12);
    expect(errors).to.deep.equal({});
    expect(Object.keys(perPod)).to.have.members(cluster.pods);
    for (const real of realServers(vip)) for (const name of real) expect(name).to.match(/^10\.244\.\d+\.\d+:80$/);
  });

  it('a scheduler that there is not: somebody says so, and connections are served all the same', async () => {
    await serve('odd', { annotations: { [annotations.scheduler]: 'fastest' } });
    const event = await until(told, 'an Event about the scheduler', (object) =>
      object.reason === 'ForwardFailed' && object.involvedObject?.name === 'odd' ? object : undefined,
    );
    expect(event.message).to.contain('"fastest" is not one of the schedulers');
  });

  it('a speaker that starts again finds all of it in its kernel, and writes nothing', async () => {
    const owner = await cluster.owner();
    const node = cluster.lab.nodes.find(({ name }) => name !== owner.name)!;
    await cluster.stopSpeaker(node);
    const wrote: string[] = [];
    const again = cluster.startSpeaker(node);
    await again.waitFor(
      'it was ready',
      (line) => {
        if (line.includes('"operations"')) wrote.push(line);
        return line.includes('"msg":"ready"') ? true : undefined;
      },
      60_000,
    );
    expect(wrote).to.deep.equal([]);
  });
});
