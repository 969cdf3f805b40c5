/** VRRP with the one that everybody has: keepalived, as peer and as rival, over both families and both ways of sending. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Family, Rtnetlink } from '@fairlead/netlink';
import { createNetns, deleteNetns, inNetns } from '@fairlead/raw-socket';
import { expect } from 'chai';
import { mismatchText } from './address-lists.js';
import { VrrpTransport } from './transport.js';
import { VrrpElection, virtualRouterId } from './vrrp-election.js';

const NAME = 'public.0';
const INTERVAL_MS = 200;
const ADDRESSES = {
  ipv4: { ours: '10.77.0.11', theirs: '10.77.0.12', vip: '10.77.0.200', length: 24 },
  ipv6: { ours: 'fd00:77::11', theirs: 'fd00:77::12', vip: 'fd00:77::c8', length: 64 },
} as const;

/** A station of ours and one with keepalived, on one cable. */
class Pair {
  readonly #id = Math.random().toString(16).slice(2, 8);
  readonly #ours = `fl-${this.#id}-a`;
  readonly #theirs = `fl-${this.#id}-b`;
  readonly #folder = mkdtempSync(join(tmpdir(), 'fl-keepalived-'));
  readonly #family: Family;
  readonly #mode: 'unicast' | 'multicast';
  readonly #sockets: Rtnetlink[] = [];
  readonly #transport: VrrpTransport;
  readonly #election: VrrpElection;
  #keepalived: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #waiting: (() => void)[] = [];
  /** What our side did, in order: own, yield. */
  readonly log: string[] = [];
  readonly faults: string[] = [];
  readonly errors: string[] = [];
  /** keepalived's log. */
  said = '';

  constructor(family: Family, mode: 'unicast' | 'multicast') {
    this.#family = family;
    this.#mode = mode;
    for (const name of [this.#ours, this.#theirs]) createNetns(name);
    const a = new Rtnetlink({ netns: this.#ours });
    const b = new Rtnetlink({ netns: this.#theirs });
    this.#sockets.push(a, b);
    const link = a.addVeth({ name: 'eth0', peer: { name: 'eth0', netns: `/run/netns/${this.#theirs}` } });
    const peer = b.link('eth0')!;
    for (const [net, index] of [
      [a, link.index],
      [b, peer.index],
    ] as const) {
      net.setLink(net.link('lo')!.index, { up: true });
      net.setLink(index, { up: true });
    }
    const { ours, theirs, vip, length } = ADDRESSES[family];
    a.addAddress({ index: link.index, address: ours, prefixLength: length, noDad: true });
    b.addAddress({ index: peer.index, address: theirs, prefixLength: length, noDad: true });
    // Link-local addresses that need no duplicate address detection, so that they can be used at once.
    a.addAddress({ index: link.index, address: 'fe80::a', prefixLength: 64, noDad: true });
    b.addAddress({ index: peer.index, address: 'fe80::b', prefixLength: 64, noDad: true });
    this.#transport = new VrrpTransport({
      mode,
      onReceived: (received) => this.#election.received(received),
      onFault: (fault, from) => this.faults.push(`${fault} ${from}`),
      onError: (error) => this.errors.push(error.message),
    });
    const addresses = [ours, ...(family === 'ipv6' ? ['fe80::a'] : [])];
    this.#transport.configure({
      uplinks: [{ name: 'eth0', index: link.index, addresses }],
      self: [ours],
      peers: [theirs],
    });
    this.#election = new VrrpElection({
      node: 'us',
      intervalMs: INTERVAL_MS,
      transport: {
        open: (segment) => inNetns(this.#ours, () => this.#transport.open(segment)),
        send: (...args) => this.#transport.send(...args),
      },
      listener: {
        own: () => this.#note('own'),
        yield: () => this.#note('yield'),
        contended: () => {},
        suspect: () => {},
        holder: () => {},
      },
      nodeOf: () => 'them',
      onMismatch: (mismatch) => this.errors.push(mismatchText(mismatch)),
      onError: (attempt, error) => this.errors.push(`${attempt}: ${error.message}`),
      clock: () => performance.now(),
      wakeAt: (at) => {
        clearTimeout(this.#timer);
        if (at !== undefined)
          this.#timer = setTimeout(() => this.#election.tick(), Math.max(0, at - performance.now()));
      },
    });
    this.#election.configure([
      {
        name: NAME,
        leaseName: 'vr-public-0',
        ranking: ['us', 'them'],
        engine: 'vrrp',
        preempt: true,
        vips: [{ address: vip, uplink: 'eth0' }],
      },
    ]);
  }

  stand(): void {
    this.#election.setFit(true);
  }

  resign(): void {
    this.#election.setFit(false);
  }

  /** @param priority ours is 254 */
  startKeepalived(priority: number): void {
    const { ours, theirs, vip, length } = ADDRESSES[this.#family];
    const peers = this.#mode === 'unicast' ? `unicast_src_ip ${theirs}\n unicast_peer {\n ${ours}\n }` : '';
    const file = join(this.#folder, 'keepalived.conf');
    writeFileSync(
      file,
      `global_defs {\n vrrp_version 3\n}\nvrrp_instance test {\n state BACKUP\n interface eth0\n` +
        ` virtual_router_id ${virtualRouterId(NAME)}\n priority ${priority}\n advert_int ${INTERVAL_MS / 1000}\n ${peers}\n` +
        ` virtual_ipaddress {\n ${vip}/${length}\n }\n}\n`,
    );
    const files = ['-p', '-r'].flatMap((flag) => [flag, join(this.#folder, `pid${flag}`)]);
    const argv = ['--vrrp', '--dont-fork', '--log-console', '--log-detail', '-f', file, ...files];
    const child = spawn('nsenter', [`--net=/run/netns/${this.#theirs}`, '--', 'keepalived', ...argv]);
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        this.said += chunk;
        this.#wake();
      });
    }
    this.#keepalived = child;
  }

  /** Those that keepalived has entered: MASTER, BACKUP. */
  states(): string[] {
    return [...this.said.matchAll(/Entering (\w+) STATE/g)].map(([, state]) => state!);
  }

  async stopKeepalived(): Promise<void> {
    const child = this.#keepalived;
    if (child === undefined || child.exitCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  }

  /** Resolves when it holds; it is looked at whenever something happened. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  async close(): Promise<void> {
    await this.#election.stop({ release: false });
    clearTimeout(this.#timer);
    this.#transport.close();
    await this.stopKeepalived();
    for (const socket of this.#sockets) socket.close();
    for (const name of [this.#ours, this.#theirs]) deleteNetns(name);
    rmSync(this.#folder, { recursive: true });
  }

  #note(what: string): void {
    this.log.push(what);
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

describe('VRRP beside keepalived', function () {
  this.timeout(60_000);
  let pair: Pair | undefined;
  afterEach(async () => {
    await pair?.close();
    pair = undefined;
  });

  for (const family of ['ipv4', 'ipv6'] as const) {
    for (const mode of ['unicast', 'multicast'] as const) {
      it(`takes over from a keepalived of lower priority, and hands over to it (${family}, ${mode})`, async () => {
        pair = new Pair(family, mode);
        pair.startKeepalived(100);
        await pair.until(() => pair!.states().includes('MASTER'));
        pair.stand();
        await pair.until(() => pair!.log.includes('own') && pair!.states().at(-1) === 'BACKUP');
        pair.resign();
        await pair.until(() => pair!.states().join(' ').endsWith('MASTER BACKUP MASTER'));
        expect(pair.log).to.deep.equal(['own', 'yield']);
        expect([pair.faults, pair.errors]).to.deep.equal([[], []]);
      });

      it(`yields to a keepalived of higher priority, and takes over when that stops (${family}, ${mode})`, async () => {
        pair = new Pair(family, mode);
        pair.stand();
        await pair.until(() => pair!.log.includes('own'));
        pair.startKeepalived(255);
        await pair.until(() => pair!.log.includes('yield'));
        await pair.stopKeepalived();
        await pair.until(() => pair!.log.length === 3);
        expect(pair.log).to.deep.equal(['own', 'yield', 'own']);
        expect([pair.faults, pair.errors]).to.deep.equal([[], []]);
      });
    }
  }
});
