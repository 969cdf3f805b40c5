import { endpointSlices, Informer, nodes, pods, services } from '@fairlead/kube';
import type { V1EndpointSlice, V1Node, V1Pod, V1Service } from '@kubernetes/client-node';
import { expect } from 'chai';
import { isPodReady } from '../control-plane/desired-slices.js';
import { isNodeReady } from '../control-plane/scheduling.js';
import { epochMs } from '../probe/epoch.js';
import { type Probe, startProbe } from '../probe/probe.js';
import { deployEcho } from './echo.js';
import { Lab } from './lab.js';
import type { LabNode } from './node.js';
import { untilObject } from './wait.js';

const GRACE_MS = 1_000;
const SLEEP = [process.execPath, '--eval', 'console.log("started"); setInterval(() => {}, 1e6)'];

describe('faults in a lab', function () {
  this.timeout(180_000);
  let lab: Lab;
  let node: LabNode;
  let port: number;
  let probe: Probe | undefined;

  before(async () => {
    lab = await Lab.start({ nodes: 2, nodeMonitorGraceMs: GRACE_MS, onError: () => {} });
    node = lab.node('n2');
    await deployEcho(lab, { name: 'web', perNode: 1 });
    const service = await lab.kube.create<V1Service>(services, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: 'default' },
      // Local, so that what answers at a node is that node.
      spec: {
        type: 'LoadBalancer',
        externalTrafficPolicy: 'Local',
        selector: { app: 'web' },
        ports: [{ name: 'http', port: 80, targetPort: 8080 }],
      },
    });
    port = service.spec!.ports![0]!.nodePort!;
    await lab.untilProxied({ service: 'default/web', endpoints: 2 });
  });
  after(() => lab?.stop());
  afterEach(async () => {
    await probe?.stop();
    probe = undefined;
  });

  const isReady = (ready: boolean) =>
    untilObject<V1Node>(lab.kube, nodes, { name: node.name }, (n) => n !== undefined && isNodeReady(n) === ready);
  const readyEndpoints = (count: number) =>
    untilObject<V1EndpointSlice>(lab.kube, endpointSlices, { namespace: 'default', name: 'web-0' }, (slice) => {
      return slice?.endpoints.filter((endpoint) => endpoint.conditions?.ready).length === count;
    });
  /** Probes the node, and waits until it answers. */
  async function watchNode(): Promise<Probe> {
    probe = startProbe(lab.client, { address: node.lanAddress, port, intervalMs: 20, timeoutMs: 200 });
    await answers(true);
    return probe;
  }
  /** Resolves when an attempt that starts from now on succeeds or fails. */
  function answers(expected: boolean): Promise<void> {
    const from = epochMs();
    const isSo = (attempt: { startMs: number; outcome: string }) =>
      attempt.startMs >= from && (attempt.outcome === 'connected') === expected;
    return probe!.until(`the node ${expected ? 'answered' : 'was silent'}`, (attempts) => attempts.some(isSo));
  }

  for (const direction of ['sent', 'received'] as const) {
    it(`loses the frames that a node ${direction === 'sent' ? 'sends' : 'should receive'}, while its link stays up`, async () => {
      await watchNode();
      node.lanLoss({ [direction]: 1 });
      await answers(false);
      const { stdout } = await node.exec(['ip', '-brief', 'link', 'show', 'eth0']);
      expect(stdout).to.include('LOWER_UP');
      node.lanLoss({});
      await answers(true);
    });
  }

  it('cuts a node’s LAN link and plugs it in again', async () => {
    const running = await watchNode();
    node.linkDown();
    await answers(false);
    node.linkUp();
    await answers(true);
    const report = await running.stop();
    probe = undefined;
    expect(report.outages.length).to.be.greaterThan(0);
    expect(report.outageMs).to.be.greaterThan(0);
    expect(report.attempts.every(({ outcome }) => ['connected', 'timeout', 'EHOSTUNREACH'].includes(outcome))).to.equal(
      true,
    );
  });

  it('gives up a node that is cut off from the API server, while it still serves', async () => {
    await watchNode();
    node.managementDown();
    await isReady(false);
    await readyEndpoints(1);
    await answers(true);
    node.managementUp();
    await isReady(true);
    await readyEndpoints(2);
  });

  it('does not give up a node that is back before the grace period has passed', async () => {
    const informer = new Informer<V1Node>({ client: lab.kube, resource: nodes });
    const lost = new Set<string>();
    informer.on('update', (n) => !isNodeReady(n) && lost.add(n.metadata!.name!));
    informer.start();
    await informer.synced;
    try {
      node.managementDown();
      node.managementUp();
      // The other node's loss is noticed after a whole grace period, which began later.
      const other = lab.node('n1');
      other.managementDown();
      await untilObject<V1Node>(lab.kube, nodes, { name: 'n1' }, (n) => n !== undefined && !isNodeReady(n));
      other.managementUp();
      await untilObject<V1Node>(lab.kube, nodes, { name: 'n1' }, (n) => n !== undefined && isNodeReady(n));
    } finally {
      await informer.stop();
    }
    expect([...lost]).to.deep.equal(['n1']);
  });

  it('lets a node that was cut off from the API server catch up on what it missed', async () => {
    node.managementDown();
    const pod = { name: 'late', namespace: 'default' };
    await lab.kube.create<V1Pod>(pods, {
      metadata: pod,
      spec: {
        nodeName: node.name,
        containers: [{ name: 'echo', image: 'lab/echo', ports: [{ containerPort: 8080 }] }],
      },
    });
    node.managementUp();
    await untilObject<V1Pod>(lab.kube, pods, pod, (seen) => seen !== undefined && isPodReady(seen));
    await lab.kube.delete(pods, pod);
    await isReady(true);
    await readyEndpoints(2);
  });

  it('crashes a node: silence, every process dead, NotReady after the grace period; and brings it back', async () => {
    const daemon = node.spawn('daemon', SLEEP);
    await daemon.waitFor('it was started', (line) => line === 'started' || undefined, 60_000);
    const command = node.exec(SLEEP);
    await watchNode();
    const agent = node.agent!;

    node.crash();
    for (const exit of [agent.exited, daemon.exited]) expect(await exit).to.include({ signal: 'SIGKILL' });
    expect(await command).to.include({ code: 137 });
    expect(node.isOn).to.equal(false);
    expect(() => node.spawn('daemon', SLEEP))
      .to.throw(/switched off/)
      .with.property('code', 'FL_LAB_STATE');
    await answers(false);
    await isReady(false);
    await readyEndpoints(1);
    const lost = new Set(probe!.attempts.map(({ outcome }) => outcome));
    expect([...lost], 'a dead machine refuses nothing').not.to.include('ECONNREFUSED');

    await node.powerOn();
    await isReady(true);
    await readyEndpoints(2);
    await node.untilProxied({ service: 'default/web', endpoints: 2, localEndpoints: 1 });
    await answers(true);
    await lab.untilProxied({ service: 'default/web', endpoints: 2 });
  });

  it('comes back with empty kernel state', async () => {
    await node.exec(['ip', 'link', 'add', 'fl-left', 'type', 'veth', 'peer', 'name', 'fl-left1']);
    node.crash();
    await node.powerOn();
    const { stdout } = await node.exec(['ip', '-br', 'link']);
    expect(stdout).not.to.contain('fl-left');
    expect(stdout).to.contain('eth0').and.to.contain('mgmt0');
  });

  it('freezes and thaws a process', async () => {
    const counter = node.spawn('counter', [process.execPath, '--eval', 'setInterval(() => console.log("tick"), 5)']);
    const tick = () => counter.waitFor('it ticked', (line) => line === 'tick' || undefined, 60_000);
    await tick();
    counter.signal('SIGSTOP');
    const { stdout } = await node.exec(['ps', '-o', 'state=', '-p', String(counter.pid)]);
    expect(stdout.trim()).to.equal('T');
    counter.signal('SIGCONT');
    await tick();
    counter.signal('SIGKILL');
    await counter.exited;
  });

  it('tells why a process ended before it was ready', async () => {
    const broken = lab.client.spawn('broken', [
      process.execPath,
      '--eval',
      'console.error("no such disk"); process.exit(3)',
    ]);
    const error = await broken
      .waitFor('it was ready', () => undefined, 60_000)
      .then(
        () => undefined,
        (thrown: Error) => thrown,
      );
    expect(error).to.have.property('code', 'FL_LAB_PROCESS');
    expect(error!.message).to.equal('broken on client ended (status 3) before it was ready:\nno such disk');
  });

  it('tells of an agent that dies by itself', async () => {
    const errors: string[] = [];
    const own = await Lab.start({ nodes: 1, onError: (error) => errors.push(error.message) });
    try {
      const agent = own.nodes[0]!.agent!;
      agent.signal('SIGKILL');
      await agent.exited;
      expect(errors).to.have.length(1);
      expect(errors[0]).to.match(/^agent on n1 ended \(SIGKILL\)/);
    } finally {
      await own.stop();
    }
  });
});
