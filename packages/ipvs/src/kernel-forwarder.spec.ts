/** The forwarder over IPVS in memory; the kernel's own part of it is in ipvs/forwarder.ipvs.spec.ts. */
import { Ipvs } from '@fairlead/netlink';
import { FakeIpvsKernel } from '@fairlead/netlink/testing';
import { expect } from 'chai';
import fc from 'fast-check';
import { virtualServers } from './arbitraries.spec.helpers.js';
import type { Reading } from './engine.js';
import { type Flow, type FlowCounts, flowName } from './flows.js';
import { type DesiredChange, endpoint, type VirtualServer, virtualServerName } from './forwarder.js';
import { IpvsEngine } from './ipvs/engine.js';
import { KernelForwarder } from './kernel-forwarder.js';
import { silent } from './log.js';
import { sortRealServers, sortVirtualServers } from './order.js';

const real = (n: number, weight = 1) => ({ address: `10.77.0.${n}`, port: 30080, weight });
const web: VirtualServer = {
  address: '10.77.0.200',
  port: 80,
  protocol: 'tcp',
  scheduler: 'rr',
  realServers: [real(11), real(12), real(13)],
};
const key = { address: web.address, port: web.port, protocol: web.protocol };
const without = (server: VirtualServer, n: number): VirtualServer => ({
  ...server,
  realServers: server.realServers.filter(({ address }) => address !== real(n).address),
});
const state = (...list: VirtualServer[]) => ({ vips: [], virtualServers: list });
const changeTo = (...changed: VirtualServer[]): DesiredChange => ({
  changed,
  removed: [],
  addedVips: [],
  removedVips: [],
});

/** A kernel, forwarders on it, and who is connected. */
class World {
  readonly kernel = new FakeIpvsKernel();
  /** By flowName(). */
  readonly connected = new Map<string, number>();
  readonly forgotten: string[] = [];
  /** Of each reading, whether it was a thorough one. */
  readonly readings: boolean[] = [];
  /** What was worth a line of the log, without that of every change. */
  readonly logged: string[] = [];
  transport = this.kernel.transport();

  open(): KernelForwarder {
    this.transport = this.kernel.transport();
    const { connected, forgotten, readings } = this;
    class Engine extends IpvsEngine {
      override read(options: { thorough: boolean }): Reading {
        readings.push(options.thorough);
        return super.read(options);
      }
      override connections(flows: readonly Flow[]): FlowCounts {
        const counts = [...super.connections(flows)].map(([name, ofService]) => {
          const left = [...ofService.keys()].map((end) => [end, connected.get(`${name} ${end}`) ?? 0] as const);
          return [name, new Map(left)] as const;
        });
        return new Map(counts);
      }
    }
    const settings = { ensure: () => 0, keepingConnections: (action: () => void) => action() };
    const engine = new Engine(new Ipvs({ transport: this.transport }), settings);
    const flows = {
      count: () => new Map(),
      forget: (gone: readonly Flow[]) => forgotten.push(...gone.map(flowName)),
      close() {},
    };
    const log = {
      ...silent,
      info: (fields: object, text: string) => void this.logged.push(`${text} ${JSON.stringify(fields)}`),
    };
    return new KernelForwarder({ engine, flows }, { drainTimeoutMs: 60_000, log });
  }

  /** How many netlink messages an action sends. */
  messages(action: () => void): number {
    const before = this.transport.requests.length;
    action();
    return this.transport.requests.length - before;
  }

  /** `10.77.0.11:30080 1`, in the order in which the kernel got them. */
  list(server: VirtualServer = web): string[] {
    const name = `${endpoint(server.address, server.port)}/${server.protocol}`;
    return [...(this.kernel.table.get(name)?.destinations.values() ?? [])].map(
      ({ address, port, weight }) => `${endpoint(address, port)} ${weight}`,
    );
  }

  /** All of it, order included. */
  dump(): unknown {
    return [...this.kernel.table.values()]
      .map(({ service, destinations }) => ({
        service,
        realServers: [...destinations.values()].map(({ address, port, weight }) => ({ address, port, weight })),
      }))
      .sort((a, b) => JSON.stringify(a.service).localeCompare(JSON.stringify(b.service)));
  }
}

function finishDrains(forwarder: KernelForwarder): void {
  forwarder.tend(0);
  expect(forwarder.tend(1_000)).to.deep.equal({ draining: 0 });
}

describe('forwarder', function () {
  this.timeout(60_000); // properties, on a machine that may be busy

  describe('programs', () => {
    it('one changed entry among a thousand by one message', () => {
      const world = new World();
      const forwarder = world.open();
      const all = Array.from({ length: 1_000 }, (_, n) => ({ ...web, port: n + 1 }));
      forwarder.sync(state(...all));
      const more = { ...all[500]!, realServers: [...web.realServers, real(14)] };
      expect(world.messages(() => forwarder.update(changeTo(more)))).to.equal(1);
      expect(world.messages(() => forwarder.update(changeTo(without(more, 11))))).to.equal(1);
      expect(world.messages(() => forwarder.update({ ...changeTo(), removed: [all[7]!] }))).to.equal(1);
      expect(world.messages(() => forwarder.update(changeTo()))).to.equal(0);
    });

    it('nothing when a new process finds what it wants', () => {
      fc.assert(
        fc.property(virtualServers, (desired) => {
          const world = new World();
          world.open().sync(state(...desired));
          const next = world.open();
          expect(next.sync(state(...desired))).to.deep.equal({ operations: 0 });
          expect(next.audit()).to.deep.equal({ repaired: 0 });
          expect(next.read()).to.deep.equal(sortVirtualServers(desired));
        }),
      );
    });

    it('by changes what it would program as a whole', () => {
      fc.assert(
        fc.property(fc.array(virtualServers, { minLength: 1, maxLength: 6 }), (states) => {
          const world = new World();
          const forwarder = world.open();
          forwarder.sync(state());
          let before: VirtualServer[] = [];
          for (const desired of states) {
            const names = new Set(desired.map(virtualServerName));
            const removed = before.filter((server) => !names.has(virtualServerName(server)));
            forwarder.update({ ...changeTo(...desired), removed });
            before = desired;
          }
          finishDrains(forwarder);
          expect(forwarder.read()).to.deep.equal(states.at(-1));
          expect(forwarder.audit()).to.deep.equal({ repaired: 0 });
        }),
      );
    });

    it('the same kernel whatever the order of events, down to the list that mh, sh and dh build their tables from', () => {
      const servers = fc.uniqueArray(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 12 });
      const step = fc.record({ n: fc.integer({ min: 1, max: 40 }), add: fc.boolean() });
      fc.assert(
        fc.property(
          fc.constantFrom('mh', 'sh', 'dh'),
          servers,
          fc.array(step, { maxLength: 12 }),
          (scheduler, last, detours) => {
            const wanted = (list: Iterable<number>) => ({
              ...web,
              scheduler,
              realServers: sortRealServers([...list].map((n) => real(n))),
            });
            const cold = new World();
            cold.open().sync(state(wanted(last)));

            const world = new World();
            const forwarder = world.open();
            forwarder.sync(state());
            const there = new Set<number>();
            for (const { n, add } of detours) {
              if (add) there.add(n);
              else there.delete(n);
              forwarder.update(changeTo(wanted(there)));
            }
            forwarder.update(changeTo(wanted(last)));
            finishDrains(forwarder);
            expect(world.dump()).to.deep.equal(cold.dump());
          },
        ),
      );
    });

    it('a node that joins every list of a hashing scheduler at once, and puts the lists in order in turns', () => {
      const world = new World();
      const forwarder = world.open();
      const nodes = Array.from({ length: 100 }, (_, n) => real(n + 2));
      const servers = Array.from({ length: 3 }, (_, n) => ({
        ...{ ...web, port: n + 1, scheduler: 'mh', realServers: nodes },
      }));
      const joined = servers.map((server) => ({ ...server, realServers: [real(1), ...nodes] }));
      forwarder.sync(state(...servers));
      expect(forwarder.unfinished).to.equal(false);
      const first = world.messages(() => forwarder.update(changeTo(...joined)));
      expect(first).to.equal(3 + 2 * 100);
      expect(forwarder.audit()).to.deep.equal({ repaired: 0 });
      let turns = 0;
      for (; forwarder.unfinished && turns < 10; turns++) {
        expect(world.messages(() => forwarder.tend(turns * 1_000))).to.be.at.most(200);
      }
      expect(turns).to.equal(2);
      const inOrder = [real(1), ...nodes].map(({ address }) => `${address}:30080 1`);
      for (const server of joined) expect(world.list(server)).to.deep.equal(inOrder);
    });

    it('again what the kernel refused because somebody had been at it', () => {
      const world = new World();
      const forwarder = world.open();
      forwarder.sync(state(web));
      forwarder.read();
      world.kernel.table.clear();
      forwarder.update(changeTo(without(web, 11)));
      expect(forwarder.refused).to.deep.equal([]);
      expect(world.list()).to.deep.equal(['10.77.0.12:30080 1', '10.77.0.13:30080 1']);
    });

    it('all but what the kernel refuses, without looking at the rest again', () => {
      const world = new World();
      const forwarder = world.open();
      forwarder.sync(state(web, { ...web, port: 81 }));
      const strange = { ...web, port: 81, scheduler: 'nosuch' };
      expect(world.messages(() => forwarder.update(changeTo(without(web, 11), strange)))).to.equal(2);
      expect(world.list()).to.include('10.77.0.11:30080 0');
      expect(forwarder.refused).to.have.length(1);
      expect(forwarder.refused[0]).to.deep.include({ virtualServer: { ...key, port: 81 } });
      expect(world.messages(() => forwarder.update(changeTo(web)))).to.equal(1);
      expect(forwarder.refused).to.have.length(1);

      world.kernel.schedulers.add('nosuch');
      expect(forwarder.audit()).to.deep.equal({ repaired: 1 });
      expect(forwarder.refused).to.deep.equal([]);
    });

    it('nothing of what is removed again after the kernel refused it', () => {
      const world = new World();
      const forwarder = world.open();
      forwarder.sync(state({ ...web, scheduler: 'nosuch' }));
      expect(forwarder.refused).to.have.length(1);
      expect(world.messages(() => forwarder.update({ ...changeTo(), removed: [web] }))).to.equal(0);
      expect(forwarder.refused).to.deep.equal([]);
    });

    it('no change before it knows the whole', () => {
      expect(() => new World().open().update(changeTo(web)))
        .to.throw()
        .with.property('code', 'FL_NOT_SYNCED');
      expect(() => new World().open().audit())
        .to.throw()
        .with.property('code', 'FL_NOT_SYNCED');
    });
  });

  describe('drains a removed real server', () => {
    let world: World;
    let forwarder: KernelForwarder;
    const flow = flowName({ service: key, realServer: real(11) });
    beforeEach(() => {
      world = new World();
      forwarder = world.open();
      forwarder.sync(state(web));
    });

    it('until its connections have ended', () => {
      world.connected.set(flow, 2);
      expect(forwarder.update(changeTo(without(web, 11)))).to.deep.equal({ operations: 1 });
      expect(forwarder.draining).to.equal(1);
      for (const nowMs of [0, 1_000, 3_000]) expect(forwarder.tend(nowMs)).to.deep.equal({ draining: 1 });
      expect(world.list()).to.deep.equal(['10.77.0.11:30080 0', '10.77.0.12:30080 1', '10.77.0.13:30080 1']);
      world.connected.delete(flow);
      expect(forwarder.tend(7_000)).to.deep.equal({ draining: 0 });
      expect(world.list()).to.deep.equal(['10.77.0.12:30080 1', '10.77.0.13:30080 1']);
      expect(world.forgotten).to.deep.equal([]);
    });

    it('in one line of the log, however many they are', () => {
      forwarder.update(changeTo(without(without(web, 11), 12)));
      for (const nowMs of [0, 3_000]) forwarder.tend(nowMs);
      const first = flowName({ service: key, realServer: real(11) });
      expect(world.logged).to.deep.equal([`real servers drained ${JSON.stringify({ realServers: 2, first })}`]);
    });

    it('until its time is up, and ends the connections that are left', () => {
      world.connected.set(flow, 2);
      forwarder.update(changeTo(without(web, 11)));
      for (let nowMs = 0; nowMs < 60_000; nowMs += 1_000) forwarder.tend(nowMs);
      expect(world.list()).to.have.length(3);
      expect(forwarder.tend(60_000)).to.deep.equal({ draining: 0 });
      expect(world.list()).to.have.length(2);
      expect(world.forgotten).to.deep.equal([flow]);
    });

    it('asks the kernel only about virtual servers that have one', () => {
      forwarder.sync(state(web, { ...web, port: 81 }, { ...web, port: 82 }));
      forwarder.update(changeTo(without(web, 11)));
      world.connected.set(flow, 1);
      expect(world.messages(() => forwarder.tend(0))).to.equal(0);
      expect(world.messages(() => forwarder.tend(1_000))).to.equal(1);
      expect(world.messages(() => forwarder.tend(2_000))).to.equal(0);
    });

    it('and gives it its weight when it comes back, by that one message', () => {
      forwarder.update(changeTo(without(web, 11)));
      forwarder.tend(0);
      expect(world.messages(() => forwarder.update(changeTo(web)))).to.equal(1);
      expect(forwarder.draining).to.equal(0);
      expect(world.list()).to.deep.equal(['10.77.0.11:30080 1', '10.77.0.12:30080 1', '10.77.0.13:30080 1']);
      forwarder.tend(60_000);
      expect(world.list()).to.have.length(3);
    });

    it('also when a new process takes over meanwhile, which gives those that are desired their weight', () => {
      forwarder.update(changeTo(without(without(web, 11), 12)));
      world.connected.set(flow, 1);
      const next = world.open();
      expect(next.sync(state(without(web, 11)))).to.deep.equal({ operations: 1 });
      expect(next.draining).to.equal(1);
      expect(world.list()).to.deep.equal(['10.77.0.11:30080 0', '10.77.0.12:30080 1', '10.77.0.13:30080 1']);
      world.connected.clear();
      finishDrains(next);
      expect(world.list()).to.deep.equal(['10.77.0.12:30080 1', '10.77.0.13:30080 1']);
    });

    it('not when it is dead, or dies meanwhile', () => {
      world.connected.set(flow, 1);
      const dead = new Set([real(11).address, real(12).address]);
      forwarder.update(changeTo(without(web, 12)));
      expect(forwarder.draining).to.equal(1);
      forwarder.update({ ...changeTo(without(without(web, 12), 11)), dead });
      expect(forwarder.draining).to.equal(0);
      expect(world.list()).to.deep.equal(['10.77.0.13:30080 1']);
      expect(world.forgotten).to.have.members([flow, flowName({ service: key, realServer: real(12) })]);
    });

    it('not of UDP: it goes at once, and what its clients send next goes elsewhere', () => {
      const dns: VirtualServer = { ...web, protocol: 'udp' };
      forwarder.sync(state(dns));
      forwarder.update(changeTo(without(dns, 11)));
      expect(forwarder.draining).to.equal(0);
      expect(world.list(dns)).to.deep.equal(['10.77.0.12:30080 1', '10.77.0.13:30080 1']);
      expect(world.forgotten).to.include('udp 10.77.0.200:80 10.77.0.11:30080');
    });

    it('not under dh, which would refuse what it hashes there', () => {
      const hashed = { ...web, scheduler: 'dh' };
      forwarder.sync(state(hashed));
      forwarder.update(changeTo(without(hashed, 11)));
      expect(world.list()).to.deep.equal(['10.77.0.12:30080 1', '10.77.0.13:30080 1']);
    });

    it('after its successors have come, so that there always is one that takes connections', () => {
      const renewed = { ...web, realServers: [real(21), real(22)] };
      const seen: boolean[] = [];
      const { send } = world.transport;
      world.transport.send = function (data) {
        send.call(this, data);
        seen.push(world.list().some((line) => !line.endsWith(' 0')));
      };
      forwarder.update(changeTo(renewed));
      expect(world.list()).to.deep.equal([
        ...['10.77.0.11:30080 0', '10.77.0.12:30080 0', '10.77.0.13:30080 0'],
        ...['10.77.0.21:30080 1', '10.77.0.22:30080 1'],
      ]);
      expect(seen).to.not.include(false);
      finishDrains(forwarder);
      expect(world.list()).to.deep.equal(['10.77.0.21:30080 1', '10.77.0.22:30080 1']);
    });
  });

  describe('audits', () => {
    it('and repairs and counts what somebody deleted', () => {
      const world = new World();
      const forwarder = world.open();
      forwarder.sync(state(web, { ...web, port: 81 }));
      world.kernel.table.clear();
      expect(forwarder.audit()).to.deep.equal({ repaired: 8 });
      expect(forwarder.audit()).to.deep.equal({ repaired: 0 });
      expect(world.list()).to.have.length(3);
    });

    it('and asks for each virtual server the first time, and each tenth time after that', () => {
      const world = new World();
      const forwarder = world.open();
      forwarder.sync(state(web));
      const thorough = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12].filter(() => {
        forwarder.audit();
        return world.readings.at(-1);
      });
      expect(thorough).to.deep.equal([1, 11]);
    });

    it('and lets drains go on', () => {
      const world = new World();
      const forwarder = world.open();
      forwarder.sync(state(web));
      forwarder.update(changeTo(without(web, 11)));
      forwarder.tend(0);
      expect(forwarder.audit()).to.deep.equal({ repaired: 0 });
      expect(forwarder.tend(1_000)).to.deep.equal({ draining: 0 });
      expect(world.list()).to.have.length(2);
    });
  });
});
