/** Whether a Service works for everyone who may use it: asked in every surrounding that this folder has. */
import { type LabHost, podHost, sendRequests } from '@fairlead/lab';
import { expect } from 'chai';
import { type Cluster, PORT } from '../e2e/cluster.js';

/** Enough for each of three nodes to be chosen, and among them the owner's own NodePort. */
const REQUESTS = 6;

/** A client on the LAN, one beyond the router, every node and a Pod on each: all of them get answers alone. */
export async function expectServed(cluster: Cluster, vip: string): Promise<void> {
  const { lab, pods } = cluster;
  const podHosts = await Promise.all(pods.map((pod) => podHost(lab, pod)));
  const hosts: LabHost[] = [lab.client, lab.outside, ...lab.nodes, ...podHosts];
  const reports = await Promise.all(
    hosts.map((host) => sendRequests(host, { address: vip, port: PORT, count: REQUESTS, timeoutMs: 20_000 })),
  );
  for (const [index, { errors }] of reports.entries()) expect(errors, `from ${hosts[index]!.name}`).to.deep.equal({});
}
