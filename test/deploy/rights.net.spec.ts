/** Speakers behind an API server that goes by deploy/rbac.yaml: what they are for works, and nothing that they ask for is refused. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, request as forward, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { leaseAnnotations } from '@fairlead/api';
import { until } from '@fairlead/cli';
import { configMaps, Informer, leases } from '@fairlead/kube';
import { ApiError } from '@fairlead/lab';
import { Rtnetlink } from '@fairlead/netlink';
import { expect } from 'chai';
import { refuse, targetOf } from '../api/front.js';
import { Cluster } from '../e2e/cluster.js';
import { isAllowed, type Rule, rulesOf } from './rights.js';

/** Longer than any step takes on a busy machine; nothing waits for it when all is well. */
const PATIENCE_MS = 180_000;
const TAKEN = '10.77.0.221';

/** A socket in the file system, which all network namespaces reach. */
class Gate {
  readonly asked = new Set<string>();
  readonly refused = new Set<string>();
  /** The socket of the API server, when there is one. */
  target: string | undefined;
  readonly #rules: readonly Rule[];
  readonly #server: Server = createServer({ requestTimeout: 0 }, (request, response) => this.#serve(request, response));

  constructor(rules: readonly Rule[]) {
    this.#rules = rules;
  }

  listen(path: string): Promise<void> {
    return new Promise((resolve) => this.#server.listen(path, resolve));
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const { info } = targetOf(request);
    const text = `${info.verb} ${info.resource}`;
    this.asked.add(text);
    if (!isAllowed(this.#rules, info)) {
      this.refused.add(text);
      refuse(response, new ApiError(403, 'Forbidden', text));
      return;
    }
    if (this.target === undefined) return void response.destroy();
    const { method, url, headers } = request;
    const onward = forward({ socketPath: this.target, method: method!, path: url!, headers }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers).flushHeaders();
      answer.pipe(response);
      answer.on('error', () => response.destroy());
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  }
}

describe('speakers with the rights of deploy/rbac.yaml', function () {
  this.timeout(PATIENCE_MS);
  let folder: string;
  let gate: Gate;
  let cluster: Cluster;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fairlead-rights-'));
    gate = new Gate(await rulesOf('fairlead-speaker'));
    const path = join(folder, 'api.sock');
    await gate.listen(path);
    cluster = await Cluster.start('nftables', {}, ['--server', `unix://${path}`]);
    gate.target = join(cluster.lab.directory, 'api.sock');
  });
  after(async () => {
    await cluster?.stop();
    gate?.close();
    if (folder) await rm(folder, { recursive: true });
  });

  it('serve a VIP and hand it over', async () => {
    await cluster.createPool('public', '10.77.0.200/32');
    await cluster.createService('web', 'public');
    const vip = await cluster.vipOf('web');
    await cluster.served(vip);
    const owner = await cluster.owner();
    const next = cluster.lab.nodes.find((node) => node !== owner)!;
    const [lease] = cluster.leases.list();
    const annotations = { [leaseAnnotations.preferredOwner]: next.name };
    const key = { namespace: lease!.metadata!.namespace!, name: lease!.metadata!.name! };
    await cluster.lab.kube.patch(leases, key, { metadata: { annotations } }, { type: 'merge' });
    expect(await cluster.owner(owner)).to.equal(next);
    await cluster.served(vip);
  });

  it('report a station that has an address', async () => {
    const links = new Rtnetlink({ netns: cluster.lab.router.netns });
    links.addAddress({ index: links.link('lan0')!.index, address: TAKEN, prefixLength: 32 });
    links.close();
    const reports = new Informer({ client: cluster.lab.kube, resource: configMaps, namespace: 'fairlead-system' });
    reports.start();
    try {
      await cluster.createPool('taken', `${TAKEN}/32`);
      await cluster.createService('taken', 'taken');
      await until(reports, 'a report', (report) => (JSON.stringify(report).includes(TAKEN) ? report : undefined));
    } finally {
      reports.stop();
    }
  });

  it('are refused nothing, and may do nothing to Services, nodes and pools', async () => {
    expect([...gate.refused]).to.deep.equal([]);
    const rules = await rulesOf('fairlead-speaker');
    for (const what of ['services', 'nodes', 'endpointslices.discovery.k8s.io', 'addresspools.fairlead.dev']) {
      expect(gate.asked).to.include(`list ${what}`).and.include(`watch ${what}`);
      for (const verb of ['create', 'update', 'patch', 'delete']) {
        expect(isAllowed(rules, { verb, resource: what }), `${verb} ${what}`).to.equal(false);
      }
    }
    for (const verb of ['get', 'list', 'watch', 'create', 'update', 'patch']) {
      expect(gate.asked).to.include(`${verb} leases.coordination.k8s.io`);
    }
    for (const verb of ['get', 'create']) expect(gate.asked).to.include(`${verb} configmaps`);
  });
});
