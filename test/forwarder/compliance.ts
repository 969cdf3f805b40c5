/**
 * What every Forwarder must do, with real packets: one suite, run against each engine. Each test starts from one node
 * that owns the VIPs, and all three directors programmed, as speakers would.
 */
import { setTimeout } from 'node:timers/promises';
import {
  type DesiredState,
  Director,
  type Forwarder,
  HostRoutes,
  type NodeInput,
  OwnerRules,
  plan,
  type VirtualServer,
} from '@fairlead/ipvs';
import { sockaddrIn } from '@fairlead/raw-socket';
import { expect } from 'chai';
import { drainingCompliance } from './draining.js';
import { ANSWER_MS, SILENCE_MS } from './host.js';
import { echoRequest, ICMP_ECHO_REQUEST, icmpSocket, icmpTypes, redirectsSent } from './icmp.js';
import { NODE_PORT, type Node, PLAIN_NODE_PORT, Topology } from './topology.js';

const VIP = '10.77.0.200';
const OTHER_VIP = '10.77.0.201';
const VIP6 = 'fd00:77::200';
const vips = [VIP, OTHER_VIP, VIP6];

/** What one node's speaker holds. */
interface Speaker {
  node: Node;
  director: Director;
  forwarder: Forwarder;
  routes: HostRoutes;
  rules: OwnerRules;
}

export function forwarderCompliance(kind: Forwarder['kind'], open: (director: string) => Forwarder): void {
  const topology = new Topology(`fl-${kind.slice(0, 3)}-${process.pid}`);
  const speakers: Speaker[] = [];
  const [first, second] = [0, 1];

  const nodes = (): NodeInput[] =>
    topology.nodes.map(({ name, addresses }) => ({ name, internalIPs: addresses, ready: true, excluded: false }));

  /** Ports: 80 through kube-proxy to pods, 81 to servers on the nodes, both by TCP and UDP. */
  const desiredState = (usable: (node: string) => boolean = () => true): DesiredState =>
    plan({
      services: [
        {
          name: 'default/web',
          vips: [VIP, VIP6],
          ports: (['tcp', 'udp'] as const).flatMap((protocol) => [
            { port: 80, nodePort: NODE_PORT, protocol },
            { port: 81, nodePort: PLAIN_NODE_PORT, protocol },
          ]),
        },
        { name: 'default/other', vips: [OTHER_VIP], ports: [{ port: 80, nodePort: NODE_PORT, protocol: 'tcp' }] },
      ],
      nodes: nodes(),
      health: usable,
    });

  const program = (speaker: Speaker, desired: DesiredState) => {
    const operations = speaker.director.sync(desired).operations + speaker.forwarder.sync(desired).operations;
    return operations + speaker.routes.sync([{ index: 0, vips: desired.vips }]).operations;
  };

  const own = (index: number) => {
    speakers.forEach(({ rules }, other) => {
      if (other === index) rules.claim(0);
      else rules.release(0);
    });
    for (const vip of vips) topology.announce(vip, topology.nodes[index]!);
  };

  const real = (node: number, port: number) => ({ address: `10.77.0.${10 + node}`, port, weight: 1 });

  before(async function () {
    this.timeout(300_000);
    await topology.start();
    for (const node of topology.nodes) {
      const hostNetns = node.netns;
      speakers.push({
        node,
        director: Director.ensure({ name: node.director, hostNetns }),
        forwarder: open(node.director),
        routes: new HostRoutes({ hostNetns }),
        rules: new OwnerRules({ hostNetns }),
      });
    }
  });

  after(async function () {
    this.timeout(60_000);
    for (const { director, forwarder, routes, rules } of speakers) {
      for (const part of [director, forwarder, routes, rules]) part.close();
    }
    await topology.stop();
  });

  beforeEach(() => {
    for (const speaker of speakers) {
      speaker.node.serveFrom(speaker.node.number);
      program(speaker, desiredState());
    }
    own(first);
  });

  it('is of its kind', () => {
    expect(speakers[first]!.forwarder.kind).to.equal(kind);
  });

  for (const [family, vip] of [
    ['IPv4', VIP],
    ['IPv6', VIP6],
  ] as const) {
    it(`spreads a client’s connections evenly over all nodes, the owner’s own NodePort included (${family})`, async () => {
      expect(await topology.client.askMany(12, vip, 80)).to.deep.equal({ pod1: 4, pod2: 4, pod3: 4 });
    });

    it(`has the VIP for its address towards real servers, so that they answer to whoever owns it (${family})`, async () => {
      const answers = await Promise.all([1, 2, 3].map(() => topology.client.ask(vip, 81)));
      expect(answers.map(({ server }) => server)).to.have.members(['n1', 'n2', 'n3']);
      expect(answers.map(({ seen }) => seen)).to.deep.equal([vip, vip, vip]);
    });

    it(`serves the owner itself, its pods, other nodes and their pods (${family})`, async () => {
      const [owner, other] = [topology.nodes[first]!, topology.nodes[second]!];
      for (const host of [owner, owner.pod, other, other.pod]) {
        expect(Object.keys(await host.askMany(3, vip, 80)), `asked by ${host.name}`).to.have.members([
          'pod1',
          'pod2',
          'pod3',
        ]);
      }
    });

    it(`forwards datagrams (${family})`, async () => {
      const servers = new Set<string>();
      for (let n = 0; n < 3; n++) servers.add((await topology.client.ask(vip, 80, { protocol: 'udp' })).server);
      expect([...servers]).to.have.members(['pod1', 'pod2', 'pod3']);
    });

    it(`answers on nothing but the Service’s ports and ping (${family})`, async () => {
      expect(topology.client.ping(vip)).to.equal(true);
      const failures = await Promise.all([
        topology.client.failure(vip, NODE_PORT),
        topology.client.failure(vip, PLAIN_NODE_PORT),
        topology.client.failure(vip, 82),
        topology.client.failure(vip, PLAIN_NODE_PORT, 'udp'),
      ]);
      expect(failures).to.deep.equal(['ETIMEDOUT', 'ETIMEDOUT', 'ETIMEDOUT', 'ETIMEDOUT']);
    });

    it(`moves with the VIP to another node (${family})`, async () => {
      own(second);
      expect(await topology.client.askMany(6, vip, 80)).to.deep.equal({ pod1: 2, pod2: 2, pod3: 2 });
      const former = topology.nodes[first]!;
      expect(Object.keys(await former.askMany(3, vip, 80))).to.have.members(['pod1', 'pod2', 'pod3']);
    });
  }

  it('never tells the owner, its only neighbour, to ask the real server itself', async () => {
    await topology.nodes[first]!.askMany(3, VIP, 80);
    expect(redirectsSent(speakers[first]!.director.name)).to.equal(0);
  });

  it('lets a former owner send what it still has in hand', () => {
    own(second);
    const client = icmpSocket(topology.client.netns);
    const director = icmpSocket(speakers[first]!.director.name);
    try {
      director.bind(sockaddrIn({ address: VIP, port: 0 }));
      director.send(echoRequest(), sockaddrIn({ address: '10.77.0.100', port: 0 }));
      client.poll(20_000);
      expect(icmpTypes(client)).to.include(ICMP_ECHO_REQUEST);
    } finally {
      client.close();
      director.close();
    }
  });

  it('reaches pods on third nodes, whose replies pass the LAN on their way back', async () => {
    // n2 is not the owner: its director knows the VIP too and must not see these replies.
    topology.nodes[0]!.serveFrom(3);
    topology.nodes[1]!.serveFrom(3);
    expect(await topology.client.askMany(6, VIP, 80)).to.deep.equal({ pod3: 6 });
  });

  it('passes on the datagrams that a client still sends to the former owner', async () => {
    // Not so TCP: see owner-rules.ts.
    own(second);
    topology.announce(VIP, topology.nodes[first]!, [topology.client]); // it has missed the gratuitous ARP
    const servers = [];
    for (let n = 0; n < 3; n++) servers.push((await topology.client.ask(VIP, 80, { protocol: 'udp' })).server);
    expect(servers).to.have.members(['pod1', 'pod2', 'pod3']);
  });

  it('counts connections for each real server', async () => {
    const { forwarder } = speakers[first]!;
    const count = () =>
      forwarder
        .stats()
        .find(({ address, port, protocol }) => address === OTHER_VIP && port === 80 && protocol === 'tcp')!
        .realServers.map(({ connections }) => Number(connections));
    // Unused so far, or used long enough ago for IPVS, which adds its counters up every two seconds.
    const before = count();
    await topology.client.askMany(6, OTHER_VIP, 80);
    const deadline = performance.now() + ANSWER_MS;
    let counted: number[] = [];
    do {
      await setTimeout(50);
      counted = count().map((connections, index) => connections - before[index]!);
    } while (counted.reduce((sum, connections) => sum + connections) < 6 && performance.now() < deadline);
    expect(counted).to.deep.equal([2, 2, 2]);
  });

  it('takes a real server out by as many operations as it has virtual servers, and disturbs no other', async () => {
    const held = [];
    for (let n = 0; n < 3; n++) held.push(await topology.client.hold(VIP, 80));
    const without3 = desiredState((node) => node !== 'n3');
    // 2 ports × 2 protocols × 2 families, and the other VIP's
    expect(speakers[first]!.forwarder.sync(without3)).to.deep.equal({ operations: 9 });
    expect(await topology.client.askMany(6, VIP, 80)).to.deep.equal({ pod1: 3, pod2: 3 });
    for (const { server, echo } of held) {
      if (server !== 'pod3') expect(await echo('still there')).to.equal('still there');
    }
  });

  it('puts one real server out of one virtual server by one operation', async () => {
    const { forwarder } = speakers[first]!;
    const desired = desiredState();
    const changed: VirtualServer[] = desired.virtualServers.map((server) =>
      server.address === OTHER_VIP ? { ...server, realServers: server.realServers.slice(1) } : server,
    );
    expect(forwarder.sync({ ...desired, virtualServers: changed })).to.deep.equal({ operations: 1 });
    expect(await topology.client.askMany(4, OTHER_VIP, 80)).to.deep.equal({ pod2: 2, pod3: 2 });
    expect(await topology.client.askMany(3, VIP, 80)).to.deep.equal({ pod1: 1, pod2: 1, pod3: 1 });
  });

  it('is adopted by a new process without a write, and without a break for open connections', async () => {
    const held = await topology.client.hold(VIP, 80);
    const old = speakers[first]!;
    for (const part of [old.director, old.forwarder, old.routes, old.rules]) part.close();
    const hostNetns = old.node.netns;
    const director = Director.ensure({ name: old.node.director, hostNetns });
    const rules = new OwnerRules({ hostNetns });
    const adopted = {
      node: old.node,
      director,
      forwarder: open(director.name),
      routes: new HostRoutes({ hostNetns }),
      rules,
    };
    speakers[first] = adopted;
    expect(director.changes).to.equal(0);
    expect(rules.list()).to.deep.equal([0]);
    expect(program(adopted, desiredState())).to.equal(0);
    expect(adopted.forwarder.read()).to.deep.equal(desiredState().virtualServers);
    expect(await held.echo('still there')).to.equal('still there');
  });

  it('refuses connections at once to a virtual server that has no real server', async () => {
    const desired = desiredState();
    const emptied = desired.virtualServers.map((server) => ({ ...server, realServers: [] }));
    speakers[first]!.forwarder.sync({ ...desired, virtualServers: emptied });
    expect(await topology.client.failure(VIP, 80, 'tcp', 20_000)).to.equal('ECONNREFUSED');
    expect(await topology.client.failure(VIP, 80, 'udp', 20_000)).to.equal('ECONNREFUSED');
    expect(await topology.client.failure(VIP6, 80, 'tcp', 20_000)).to.equal('ECONNREFUSED');
  });

  it('sends nothing to a real server of weight 0', async () => {
    const desired = desiredState();
    const drained = desired.virtualServers.map((server) => ({
      ...server,
      realServers: server.realServers.map((other) => ({
        ...other,
        weight: other.address === real(2, 0).address ? 0 : 1,
      })),
    }));
    const { forwarder } = speakers[first]!;
    forwarder.sync({ ...desired, virtualServers: drained });
    expect(forwarder.read()).to.deep.equal(drained);
    expect(await topology.client.askMany(4, VIP, 80)).to.deep.equal({ pod1: 2, pod3: 2 });
  });

  it('lets go of a VIP, and of that alone', async () => {
    const desired = desiredState();
    const fewer = {
      vips: desired.vips.filter((vip) => vip !== OTHER_VIP),
      virtualServers: desired.virtualServers.filter(({ address }) => address !== OTHER_VIP),
    };
    // the virtual server; the address, its two entries in the firewall, and its route
    expect(speakers[first]!.forwarder.sync(fewer)).to.deep.equal({ operations: 1 });
    expect(program(speakers[first]!, fewer)).to.equal(4);
    expect(await topology.client.failure(OTHER_VIP, 80)).to.not.equal('answered');
    expect(topology.client.ping(OTHER_VIP, SILENCE_MS)).to.equal(false);
    expect(await topology.client.askMany(3, VIP, 80)).to.deep.equal({ pod1: 1, pod2: 1, pod3: 1 });
  });

  it('mends what somebody deleted, after the next reading', async () => {
    const { forwarder } = speakers[first]!;
    const other = open(speakers[first]!.director.name);
    other.sync({ vips: [], virtualServers: [] });
    other.close();
    expect(forwarder.read()).to.deep.equal([]);
    expect(forwarder.sync(desiredState()).operations).to.be.greaterThan(0);
    expect(forwarder.read()).to.deep.equal(desiredState().virtualServers);
    expect(await topology.client.askMany(3, VIP, 80)).to.deep.equal({ pod1: 1, pod2: 1, pod3: 1 });
  });

  drainingCompliance({
    vip: VIP,
    client: () => topology.client,
    forwarder: () => speakers[first]!.forwarder,
    reopen: () => {
      const speaker = speakers[first]!;
      speaker.forwarder.close();
      speaker.forwarder = open(speaker.director.name);
    },
    program: (desired) => program(speakers[first]!, desired),
    desired: desiredState,
  });
}
