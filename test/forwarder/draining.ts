/**
 * What becomes of connections when real servers come and go: part of what every Forwarder must do, with real packets.
 * In each test the forwarder begins with all three nodes behind the VIP's port 80, by TCP and UDP.
 */
import { setTimeout } from 'node:timers/promises';
import {
  type DesiredChange,
  type DesiredState,
  endpoint,
  type Forwarder,
  type SchedulerFlag,
  type VirtualServer,
  virtualServerName,
} from '@fairlead/ipvs';
import { expect } from 'chai';
import { ANSWER_MS, type Held, type Host } from './host.js';
import { NODE_PORT } from './topology.js';

export interface DrainingWorld {
  vip: string;
  client: () => Host;
  forwarder: () => Forwarder;
  /** As a new process would. */
  reopen: () => void;
  /** Director and forwarder. */
  program: (desired: DesiredState) => void;
  desired: () => DesiredState;
}

const DRAIN_TIMEOUT_MS = 300_000;

const schedulings: [scheduler: string, flags: SchedulerFlag[]][] = [
  ['rr', []],
  ['wlc', []],
  ['sh', []],
  ['sh', ['sh-port']],
  ['mh', []],
  ['mh', ['mh-port']],
];

export function drainingCompliance({ vip, client, forwarder, reopen, program, desired }: DrainingWorld): void {
  const real = (node: number) => ({ address: `10.77.0.${10 + node}`, port: NODE_PORT, weight: 1 });
  /** The VIP's virtual server of port 80 as it is desired, but for its real servers and what more is said. */
  const server = (nodes: number[], more: Partial<VirtualServer> = {}): VirtualServer => {
    const key = { address: vip, port: 80, protocol: 'tcp', ...more } as const;
    const found = desired().virtualServers.find((other) => virtualServerName(other) === virtualServerName(key))!;
    return { ...found, ...more, realServers: nodes.map(real) };
  };
  const update = (changed: VirtualServer, dead?: ReadonlySet<string>) => {
    const change: DesiredChange = { changed: [changed], removed: [], addedVips: [], removedVips: [] };
    return forwarder().update(dead ? { ...change, dead } : change);
  };
  const others = (node: number) => [1, 2, 3].filter((other) => other !== node);
  const nodeOf = ({ server: name }: { server: string }) => Number(name.slice(-1));
  /** Weights in the kernel, by real server. */
  const weights = (of: VirtualServer) => {
    const found = forwarder()
      .read()
      .find((candidate) => virtualServerName(candidate) === virtualServerName(of));
    return Object.fromEntries(found!.realServers.map(({ address, port, weight }) => [endpoint(address, port), weight]));
  };

  describe('when real servers come and go', () => {
    let held: Held[] = [];
    const hold = async () => {
      const connection = await client().hold(vip, 80);
      held.push(connection);
      return connection;
    };
    beforeEach(() => forwarder().sync(desired()));
    afterEach(async () => {
      await Promise.all(held.map(({ drop }) => drop()));
      held = [];
      forwarder().tend(0);
      forwarder().tend(DRAIN_TIMEOUT_MS);
    });

    it('drains one that is removed: new connections go elsewhere, open ones go on, and it is deleted after the last', async () => {
      // A virtual server of its own, of which the kernel remembers no connections of other tests.
      const fresh = { ...server([1, 2, 3]), port: 90 };
      program({ ...desired(), virtualServers: [...desired().virtualServers, fresh] });
      const connection = await client().hold(vip, fresh.port);
      const node = nodeOf(connection);
      const removed = endpoint(real(node).address, NODE_PORT);
      expect(update({ ...server(others(node)), port: fresh.port })).to.deep.equal({ operations: 1 });
      expect(await client().askMany(6, vip, fresh.port)).to.not.have.property(connection.server);
      expect(forwarder().tend(0)).to.deep.equal({ draining: 1 });
      expect(forwarder().tend(1_000)).to.deep.equal({ draining: 1 });
      expect(await connection.echo('still there')).to.equal('still there');
      expect(weights(fresh)).to.have.property(removed, 0);

      await connection.drop();
      // The kernel remembers a connection that was reset for 10 s; the forwarder's clock runs faster here.
      let nowMs = 1_000;
      const deadline = performance.now() + 4 * ANSWER_MS;
      while (forwarder().tend(nowMs).draining > 0 && performance.now() < deadline) {
        nowMs = Math.min(nowMs + 1_000, DRAIN_TIMEOUT_MS - 1_000);
        await setTimeout(100);
      }
      expect(forwarder().draining).to.equal(0);
      expect(weights(fresh)).to.not.have.property(removed);
    }).timeout(8 * ANSWER_MS);

    it('ends what is left when a drain’s time is up, by a reset', async () => {
      const connection = await hold();
      update(server(others(nodeOf(connection))));
      forwarder().tend(0);
      expect(forwarder().tend(DRAIN_TIMEOUT_MS)).to.deep.equal({ draining: 0 });
      expect(await connection.echo('still there').catch(({ code }) => code)).to.equal('ECONNRESET');
    });

    it('resets connections to a dead one at once, and keeps all others', async () => {
      const connections = [await hold(), await hold(), await hold()];
      const [broken, ...kept] = connections;
      const node = nodeOf(broken!);
      update(server(others(node)), new Set([real(node).address]));
      expect(forwarder().draining).to.equal(0);
      expect(await broken!.echo('still there').catch(({ code }) => code)).to.equal('ECONNRESET');
      for (const connection of kept) expect(await connection.echo('still there')).to.equal('still there');
    });

    it('gives a real server that comes back its weight, and its connections never notice', async () => {
      const connection = await hold();
      update(server(others(nodeOf(connection))));
      forwarder().tend(0);
      expect(update(server([1, 2, 3]))).to.deep.equal({ operations: 1 });
      expect(forwarder().draining).to.equal(0);
      expect(await connection.echo('still there')).to.equal('still there');
      expect(await client().askMany(6, vip, 80)).to.include.keys(connection.server);
    });

    it('goes on draining after a restart', async () => {
      const connection = await hold();
      const node = nodeOf(connection);
      update(server(others(node)));
      const virtualServers = desired().virtualServers.map((other) =>
        virtualServerName(other) === virtualServerName(server([])) ? server(others(node)) : other,
      );
      reopen();
      expect(forwarder().sync({ vips: [], virtualServers })).to.deep.equal({ operations: 0 });
      expect(forwarder().draining).to.equal(1);
      forwarder().tend(0);
      expect(forwarder().tend(15_000)).to.deep.equal({ draining: 1 });
      expect(await connection.echo('still there')).to.equal('still there');
    });

    it('sends the next datagram of a UDP client elsewhere', async () => {
      const ask = await client().holdUdp(vip, 80);
      const before = await ask();
      expect(await ask()).to.equal(before);
      update(server(others(Number(before.slice(-1))), { protocol: 'udp' }));
      expect(forwarder().draining).to.equal(0);
      expect(await ask()).to.not.equal(before);
    });

    for (const [scheduler, flags] of schedulings) {
      it(`refuses no connection while its real servers are replaced, all at once too (${[scheduler, ...flags].join(' ')})`, async () => {
        const of = (...nodes: number[]) => server(nodes, { scheduler, flags });
        update(of(1, 2));
        for (const nodes of [[2], [3], [1, 2], [2, 3], [1], [2, 3], [1, 2, 3]]) {
          const asking = client().askMany(6, vip, 80);
          update(of(...nodes));
          await asking;
          const answered = Object.keys(await client().askMany(6, vip, 80));
          expect(nodes.map((node) => `pod${node}`)).to.include.members(answered);
        }
      });
    }

    it('refuses no connection under dh either, though there those to what is removed end at once', async () => {
      for (const nodes of [[1, 2], [2], [3], [1, 2]]) {
        update(server(nodes, { scheduler: 'dh' }));
        const answered = Object.keys(await client().askMany(2, vip, 80));
        expect(nodes.map((node) => `pod${node}`)).to.include.members(answered);
      }
    });

    it('keeps open connections where a hashing scheduler’s list is put in order', async () => {
      const hashed = (...nodes: number[]) => server(nodes, { scheduler: 'mh', flags: ['mh-port'] });
      update(hashed(2, 3));
      forwarder().tend(0);
      forwarder().tend(DRAIN_TIMEOUT_MS);
      const connections: Held[] = [];
      for (let n = 0; n < 6; n++) connections.push(await hold());
      update(hashed(1, 2, 3)); // 1 comes before both
      for (const connection of connections) expect(await connection.echo('still there')).to.equal('still there');
    });

    it('keeps a client that asked for it at its real server', async () => {
      update(server([1, 2, 3], { persistenceSeconds: 300 }));
      expect(Object.values(await client().askMany(6, vip, 80))).to.deep.equal([6]);
    });
  });
}
