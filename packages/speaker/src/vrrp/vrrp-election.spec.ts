import { encodeAddress } from '@fairlead/netlink';
import type { Absorbed } from '@fairlead/raw-socket';
import { expect } from 'chai';
import type { Contested } from '../election/election.js';
import type { Mismatch } from './address-lists.js';
import { type Advertisement, type ChecksumForm, MAX_ADDRESSES } from './advertisement.js';
import { comparable, type Received, type Segment } from './transport.js';
import { priorityOf, VrrpElection, type VrrpElectionOptions, virtualRouterId } from './vrrp-election.js';

const A = 100;
const NODES = ['n1', 'n2', 'n3'];
const ADDRESSES: Record<string, string> = { '10.77.0.11': 'n1', '10.77.0.12': 'n2', '10.77.0.13': 'n3' };

function contested(name: string, ...vips: string[]): Contested {
  return {
    name,
    leaseName: `vr-${name}`,
    ranking: NODES,
    engine: 'vrrp',
    preempt: false,
    vips: (vips.length > 0 ? vips : ['10.77.0.200']).map((address) => ({ address, uplink: 'eth0' })),
  };
}

function setUp(node = 'n2', more: Partial<VrrpElectionOptions> = {}) {
  const world = {
    now: 0,
    log: [] as string[],
    claims: [] as string[],
    sent: [] as (Advertisement & { segment: Segment; checksum: ChecksumForm })[],
    errors: [] as string[],
    mismatches: [] as Mismatch[],
    wakeAt: undefined as number | undefined,
    /** Calls of `send`. */
    packets: 0,
    failure: undefined as Error | undefined,
  };
  const election = new VrrpElection({
    node,
    intervalMs: A,
    transport: {
      open: () => {
        if (world.failure) throw world.failure;
        return { source: comparable(Object.keys(ADDRESSES).find((address) => ADDRESSES[address] === node)!) };
      },
      send: (outgoing, segment) => {
        if (world.failure) throw world.failure;
        world.packets++;
        world.sent.push(...outgoing.map(({ advertisement, checksum }) => ({ ...advertisement, segment, checksum })));
      },
    },
    listener: {
      own: (name, lapsed, claim) => {
        world.log.push(`own ${name} lapsed=${lapsed}`);
        world.claims.push(claim);
      },
      yield: (name, _, handsOver) => world.log.push(`yield ${name}${handsOver ? ' handing over' : ''}`),
      contended: (name) => world.log.push(`contended ${name}`),
      suspect: (suspect) => world.log.push(`suspect ${suspect}`),
      holder: (name, holder) => world.log.push(`holder ${name} ${holder}`),
    },
    nodeOf: (address) => ADDRESSES[address],
    onMismatch: (mismatch) => world.mismatches.push(mismatch),
    onError: (attempt, error) => world.errors.push(`${attempt}: ${error.message}`),
    clock: () => world.now,
    wakeAt: (at) => {
      world.wakeAt = at;
    },
    ...more,
  });
  const wait = (ms: number) => {
    const end = world.now + ms;
    while (world.wakeAt !== undefined && world.wakeAt <= end) {
      world.now = world.wakeAt;
      election.tick();
    }
    world.now = end;
  };
  const hear = (name: string, from: string, priority: number, vip = '10.77.0.200', absorb?: () => Absorbed) => {
    const received: Received = {
      family: 'ipv4',
      from,
      checksum: 'rfc5798',
      advertisement: {
        virtualRouterId: virtualRouterId(name),
        priority,
        intervalMs: A,
        addresses: [encodeAddress(vip)],
      },
    };
    election.received(received, absorb);
  };
  return { world, election, wait, hear };
}

/** As a socket that absorbs what is heard. `at`: when it came last, until that is asked. */
function absorption(world: { now: number }, watch: Absorbed['watch'] = () => false) {
  const absorbed = { at: undefined as number | undefined, asked: 0, ended: 0 };
  const absorb = (): Absorbed => ({
    watch,
    since: () => {
      absorbed.asked++;
      const { at } = absorbed;
      absorbed.at = undefined;
      return at === undefined ? undefined : world.now - at;
    },
    end: () => {
      absorbed.ended++;
    },
  });
  return { absorbed, absorb };
}

describe('election by VRRP', () => {
  it('listens first, then owns and advertises its addresses', () => {
    const { world, election, wait } = setUp();
    election.configure([contested('public.0', '10.77.0.200', '10.77.0.208')]);
    election.setFit(true);
    wait(300);
    expect(world.sent).to.deep.equal([]);
    wait(100);
    expect(world.log).to.deep.equal(['own public.0 lapsed=undefined', 'holder public.0 n2']);
    expect(world.sent[0]).to.deep.include({ priority: 241, virtualRouterId: virtualRouterId('public.0') });
    expect(world.sent[0]!.addresses.map((bytes) => Buffer.from(bytes).toString('hex'))).to.deep.equal([
      '0a4d00c8',
      '0a4d00d0',
    ]);
    expect(election.mayAnswer('public.0')).to.equal(true);
  });

  it('advertises everything that is due by one call, once it owns', () => {
    const { world, election, wait } = setUp();
    election.configure([0, 1, 2].map((n) => contested(`public.${n}`, `10.77.0.20${n}`)));
    election.setFit(true);
    wait(400);
    const before = { calls: world.packets, sent: world.sent.length };
    wait(A);
    expect([world.packets - before.calls, world.sent.length - before.sent]).to.deep.equal([1, 3]);
  });

  it('says of all that it takes over at a time that it does, before it takes any over', () => {
    const saidBefore: number[] = [];
    const ignore = () => {};
    const { world, election, wait } = setUp('n1', {
      listener: {
        ...{ yield: ignore, contended: ignore, suspect: ignore, holder: ignore },
        own: () => saidBefore.push(world.sent.length),
      },
    });
    election.configure([0, 1, 2].map((n) => contested(`public.${n}`, `10.77.0.${200 + n}`)));
    election.setFit(true);
    wait(4 * A);
    expect(saidBefore).to.deep.equal([3, 3, 3]);
  });

  it('comes to advertise together what it took over at different times, never more rarely than it says', () => {
    const { world, election, wait } = setUp();
    const all = [0, 1, 2].map((n) => contested(`public.${n}`, `10.77.0.20${n}`));
    election.setFit(true);
    const sentAt = new Map<number, number[]>();
    const watch = (ms: number) => {
      for (let passed = 0; passed < ms; passed++) {
        const before = world.sent.length;
        wait(1);
        for (const { virtualRouterId: id } of world.sent.slice(before)) {
          sentAt.set(id, [...(sentAt.get(id) ?? []), world.now]);
        }
      }
    };
    for (const [n, ms] of [430, 465, 1_000].entries()) {
      election.configure(all.slice(0, n + 1));
      watch(ms);
    }
    const before = { calls: world.packets, sent: world.sent.length };
    wait(10 * A);
    expect([world.packets - before.calls, world.sent.length - before.sent]).to.deep.equal([10, 30]);
    for (const times of sentAt.values()) {
      for (const [index, at] of times.slice(1).entries()) expect(at - times[index]!).to.be.at.most(A + 1);
    }
  });

  it('takes over when advertisements stay away, however often they have put it off', () => {
    const { world, election, wait, hear } = setUp();
    election.configure([contested('public.0', '10.77.0.200')]);
    election.setFit(true);
    for (let n = 0; n < 50; n++) {
      hear('public.0', '10.77.0.13', 254);
      wait(A);
    }
    expect(world.log.join()).not.to.include('own');
    wait(300);
    expect(world.log.join()).to.include('own public.0 lapsed=n3');
  });

  it('is not woken while the owner of all advertises them as it should', () => {
    const { world, election, wait, hear } = setUp();
    const vips = [0, 1, 2, 3].map((n) => `10.77.0.20${n}`);
    election.configure(vips.map((vip, n) => contested(`public.${n}`, vip)));
    election.setFit(true);
    const hearAll = () => {
      for (const [n, vip] of vips.entries()) hear(`public.${n}`, '10.77.0.13', 254, vip);
    };
    for (let round = 0; round < 10; round++) {
      hearAll();
      expect(world.wakeAt).to.equal(world.now + 2.1 * A);
      wait(A);
    }
    for (const [n, vip] of vips.entries()) if (n !== 2) hear(`public.${n}`, '10.77.0.13', 254, vip);
    wait(1.1 * A);
    expect(world.log.filter((line) => line === 'suspect n3')).to.have.length(1);
    wait(1.9 * A);
    expect(world.log.filter((line) => line.startsWith('own'))).to.deep.equal(['own public.2 lapsed=n3']);
  });

  it('is told once of what an owner says again and again, and asks for it when that would be late', () => {
    const { world, election, wait, hear } = setUp();
    election.configure([contested('public.0', '10.77.0.200')]);
    election.setFit(true);
    const { absorbed, absorb } = absorption(world);
    hear('public.0', '10.77.0.13', 254, '10.77.0.200', absorb);
    const before = absorbed.asked;
    for (let round = 0; round < 20; round++) {
      wait(A);
      absorbed.at = world.now;
    }
    expect(world.log).to.deep.equal(['holder public.0 n3']);
    expect(absorbed.asked - before).to.be.within(9, 11);
    const heardAt = world.now;
    wait(2.1 * A);
    expect(world.log.at(-1)).to.equal('suspect n3');
    expect(absorbed.ended).to.equal(0);
    while (!election.mayAnswer('public.0')) wait(1);
    expect(world.now - heardAt).to.be.within(3 * A + 5, 3 * A + 7);
    expect(absorbed.ended, 'a rival is heard each time').to.equal(1);
  });

  it('does nothing until its sockets tell that the owner is late, and everything as ever from then on', () => {
    const { world, election, wait, hear } = setUp();
    election.configure([contested('public.0', '10.77.0.200')]);
    election.setFit(true);
    const watches: { patienceMs: number; onLate: () => void }[] = [];
    const watch = (patienceMs: number, onLate: () => void) => watches.push({ patienceMs, onLate }) > 0;
    const { absorbed, absorb } = absorption(world, watch);
    hear('public.0', '10.77.0.13', 254, '10.77.0.200', absorb);
    expect(world.wakeAt).to.equal(undefined);
    expect(watches.map(({ patienceMs }) => patienceMs)).to.deep.equal([2.1 * A]);
    wait(50 * A);
    // It has come meanwhile, and is late, though not as late as it seemed.
    absorbed.at = world.now - 1.5 * A;
    watches[0]!.onLate();
    wait(0);
    expect([world.wakeAt, watches.length]).to.deep.equal([undefined, 2]);
    wait(0.6 * A);
    watches[1]!.onLate();
    wait(0);
    expect(world.log).to.deep.equal(['holder public.0 n3', 'suspect n3']);
    wait(0.9 * A);
    expect(world.log).to.have.length(2);
    wait(0.2 * A);
    expect(world.log).to.include('own public.0 lapsed=n3');
  });

  it('looks at the time, where it is to take over from a worse owner', () => {
    const { world, election, wait, hear } = setUp('n1', { preemptDelayMs: 30 * A });
    election.configure([{ ...contested('public.0', '10.77.0.200'), preempt: true }]);
    election.setFit(true);
    const { absorbed, absorb } = absorption(world, () => true);
    hear('public.0', '10.77.0.13', 1, '10.77.0.200', absorb);
    for (let round = 0; round < 40 && !election.mayAnswer('public.0'); round++) {
      wait(A);
      absorbed.at = world.now;
    }
    expect(election.mayAnswer('public.0')).to.equal(true);
    expect(world.now).to.be.at.least(30 * A);
  });

  it('counts what an owner had said until then when it is configured anew', () => {
    const { world, election, wait, hear } = setUp();
    election.configure([contested('public.0', '10.77.0.200')]);
    election.setFit(true);
    const { absorbed, absorb } = absorption(world);
    hear('public.0', '10.77.0.13', 254, '10.77.0.200', absorb);
    wait(2 * A);
    absorbed.at = world.now;
    wait(0.05 * A);
    election.configure([contested('public.0', '10.77.0.200', '10.77.0.208')]);
    wait(2 * A);
    expect(world.log, 'it is not late').to.deep.equal(['holder public.0 n3']);
    wait(0.9 * A);
    expect(world.log).to.deep.equal(['holder public.0 n3', 'suspect n3']);
    wait(0.2 * A);
    expect(world.log).to.include('own public.0 lapsed=n3');
  });

  it('is told of everything when it does not stand, owns, or has heard that the owner stops', async () => {
    const { election, wait, hear } = setUp();
    let live = 0;
    const absorb = () => {
      live++;
      return {
        since: () => undefined,
        watch: () => false,
        end: () => {
          live--;
        },
      };
    };
    const hearOwner = (priority: number) => hear('public.0', '10.77.0.13', priority, '10.77.0.200', absorb);
    election.configure([contested('public.0', '10.77.0.200')]);
    hearOwner(254);
    expect(live, 'unfit').to.equal(0);
    election.setFit(true);
    hearOwner(254);
    expect(live).to.equal(1);
    hearOwner(254);
    expect(live, 'of another life of the sockets').to.equal(1);
    election.configure([contested('public.0', '10.77.0.200', '10.77.0.208')]);
    expect(live, 'configured anew').to.equal(0);
    hearOwner(254);
    expect(live, 'it names other addresses').to.equal(0);
    election.configure([contested('public.0', '10.77.0.200')]);
    hearOwner(254);
    expect(live, 'configured as before').to.equal(1);
    hearOwner(0);
    expect(live, 'it stops').to.equal(0);
    hearOwner(254);
    election.setFit(false);
    expect(live, 'unfit again').to.equal(0);
    election.setFit(true);
    wait(400);
    expect(election.mayAnswer('public.0')).to.equal(true);
    hearOwner(1);
    expect(live, 'a rival').to.equal(0);
  });

  describe('hears of addresses that are not its own', () => {
    const OWNER = '10.77.0.13';
    const STRANGER = '10.77.0.9';
    /** As often as it is advertised; each time as another packet, as it is where senders take turns. */
    const hearFor = (world: { now: number }, ms: number, hear: () => void) => {
      for (const end = world.now + ms; world.now < end; world.now += A) hear();
    };

    it('and takes part as ever, tells when it lasts, and leaves the advertisement to its socket then', () => {
      const { world, election, hear } = setUp();
      election.configure([contested('public.0', '10.77.0.200', '10.77.0.201')]);
      election.setFit(true);
      let absorbed = 0;
      const absorb = () => {
        absorbed++;
        return absorption(world).absorb();
      };
      const hearOwner = () => hear('public.0', OWNER, 254, '10.77.0.200', absorb);
      hearFor(world, 60_000, hearOwner);
      expect(world.log).to.deep.equal(['holder public.0 n3']);
      expect([world.mismatches, absorbed]).to.deep.equal([[], 0]);
      hearOwner();
      expect(world.mismatches).to.deep.equal([
        {
          from: OWNER,
          virtualRouterId: virtualRouterId('public.0'),
          name: 'public.0',
          apart: false,
          besides: [],
          without: ['0a4d00c9'],
        },
      ]);
      expect(absorbed).to.equal(1);
    });

    it('and says nothing when its own become the same', () => {
      const { world, election, hear } = setUp();
      election.setFit(true);
      const hearOwner = () => hear('public.0', OWNER, 254, '10.77.0.200');
      for (const [forMs, ...vips] of [
        [59_000, '10.77.0.200', '10.77.0.201'],
        [A, '10.77.0.200'],
        [59_000, '10.77.0.200', '10.77.0.202'],
      ] as [number, ...string[]][]) {
        election.configure([contested('public.0', ...vips)]);
        hearFor(world, forMs, hearOwner);
      }
      expect(world.mismatches).to.deep.equal([]);
    });

    it('and looks no more at an advertisement that it knows to be the same', () => {
      const { world, election } = setUp();
      election.configure([contested('public.0')]);
      election.setFit(true);
      let looked = 0;
      const advertisement: Advertisement = {
        ...{ virtualRouterId: virtualRouterId('public.0'), priority: 254, intervalMs: A },
        get addresses() {
          looked++;
          return [encodeAddress('10.77.0.200')];
        },
      };
      hearFor(world, 1_000, () =>
        election.received({ family: 'ipv4', from: OWNER, checksum: 'rfc9568', advertisement }),
      );
      expect(looked).to.equal(1);
    });

    it('and tells of a stranger with its number on its LAN, which takes no part, but not of one elsewhere or of a node', () => {
      const { world, election } = setUp();
      election.configure([contested('public.0')]);
      election.setFit(true);
      const hear = (from: string, uplink?: string) =>
        election.received({
          ...{ family: 'ipv4', from, checksum: 'rfc5798', ...(uplink && { uplink }) },
          advertisement: {
            ...{ virtualRouterId: virtualRouterId('public.0'), priority: 254, intervalMs: A },
            addresses: [encodeAddress('10.77.0.250')],
          },
        });
      hearFor(world, 60_100, () => {
        hear(STRANGER);
        hear(STRANGER, 'eth1');
        hear(OWNER, 'eth0');
      });
      expect(world.mismatches).to.deep.equal([]);
      hearFor(world, 60_100, () => hear(STRANGER, 'eth0'));
      expect(world.mismatches).to.deep.include({
        from: STRANGER,
        virtualRouterId: virtualRouterId('public.0'),
        name: 'public.0',
        apart: true,
        besides: ['0a4d00fa'],
        without: ['0a4d00c8'],
      });
      expect(world.log.filter((line) => line.includes('holder'))).to.deep.equal([]);
    });
  });

  it('does not stand while the node is unfit, and hands over when it becomes so', () => {
    const { world, election, wait } = setUp();
    election.configure([contested('public.0')]);
    wait(1_000);
    expect(world.log).to.deep.equal([]);
    election.setFit(true);
    wait(1_000);
    election.setFit(false);
    expect(world.log.at(-1)).to.equal('yield public.0 handing over');
    expect(world.sent.at(-1)!.priority).to.equal(0);
  });

  it('names the node whose claim ran out, and none when it was given back', () => {
    for (const [last, lapsed] of [
      [254, 'n1'],
      [0, undefined],
    ] as const) {
      const { world, election, wait, hear } = setUp();
      election.configure([contested('public.0')]);
      election.setFit(true);
      wait(50);
      hear('public.0', '10.77.0.11', 254);
      hear('public.0', '10.77.0.11', last);
      wait(1_000);
      expect(world.log).to.include('holder public.0 n1');
      expect(world.log).to.include(`own public.0 lapsed=${lapsed}`);
    }
  });

  it('leaves what nobody has advertised yet to those before it, an interval for each, and nothing else', () => {
    const { world, election, wait, hear } = setUp('n3');
    election.configure([contested('public.0'), contested('public.1', '10.77.0.201')]);
    election.setFit(true);
    hear('public.1', '10.77.0.11', 254, '10.77.0.201');
    wait(4 * A);
    expect(world.log.filter((line) => line.startsWith('own'))).to.deep.equal(['own public.1 lapsed=n1']);
    wait(A - 1);
    expect(world.log.filter((line) => line.startsWith('own'))).to.have.length(1);
    wait(A);
    expect(world.log.filter((line) => line.startsWith('own'))).to.have.length(2);
    // From then on both are known, however often this node stands anew.
    election.setFit(false);
    election.setFit(true);
    wait(4 * A);
    expect(world.log.filter((line) => line.startsWith('own'))).to.have.length(4);
  });

  it('is the first owner of what nobody has advertised, and never again', () => {
    for (const [others, claim] of [
      [[], 'first'],
      [[254], 'takeover'],
      [[0], 'takeover'],
    ] as const) {
      const { world, election, wait, hear } = setUp();
      election.configure([contested('public.0')]);
      election.setFit(true);
      for (const priority of others) hear('public.0', '10.77.0.11', priority);
      wait(1_000);
      election.setFit(false);
      election.setFit(true);
      wait(1_000);
      expect(world.claims).to.deep.equal([claim, 'takeover']);
    }
  });

  it('suspects a node that is silent, before it takes over from it', () => {
    const { world, election, wait, hear } = setUp();
    election.configure([contested('public.0')]);
    election.setFit(true);
    for (let round = 0; round < 5; round++) {
      hear('public.0', '10.77.0.11', 254);
      wait(190);
    }
    expect(world.log).to.deep.equal(['holder public.0 n1']);
    wait(20);
    expect(world.log.at(-1)).to.equal('suspect n1');
    wait(1_000);
    expect(world.log.filter((entry) => /suspect|own/.test(entry))).to.deep.equal([
      'suspect n1',
      'own public.0 lapsed=n1',
    ]);
  });

  it('does not suspect a node that said that it stops', () => {
    const { world, election, wait, hear } = setUp();
    election.configure([contested('public.0')]);
    election.setFit(true);
    hear('public.0', '10.77.0.11', 254);
    hear('public.0', '10.77.0.11', 0);
    wait(1_000);
    expect(world.log.join()).to.not.include('suspect');
  });

  it('tells that a rival gives way to it, and not when it gives way itself', () => {
    for (const [priority, log] of [
      [100, 'contended public.0'],
      [0, 'holder public.0 n2'],
      [254, 'yield public.0 handing over'],
    ] as const) {
      const { world, election, wait, hear } = setUp();
      election.configure([contested('public.0')]);
      election.setFit(true);
      wait(400);
      hear('public.0', '10.77.0.11', priority);
      expect(world.log.at(-1)).to.equal(log);
    }
  });

  it('answers a rival with the kind of checksum that the rival sends', () => {
    const { world, election, wait, hear } = setUp();
    election.configure([contested('public.0')]);
    election.setFit(true);
    wait(400);
    expect(world.sent.at(-1)!.checksum).to.equal('rfc9568');
    hear('public.0', '10.77.0.13', 1);
    expect(world.sent.at(-1)!.checksum).to.equal('rfc5798');
  });

  it('tells virtual routers of one id apart by their addresses', () => {
    const { world, election, wait, hear } = setUp();
    election.configure([contested('public.0')]);
    election.setFit(true);
    for (let round = 0; round < 10; round++) {
      hear('public.0', '10.77.0.11', 254, '10.99.0.1');
      wait(50);
    }
    expect(world.log).to.include('own public.0 lapsed=undefined');
  });

  it('goes on advertising addresses that others know, however many come before them', () => {
    const { world, election, wait } = setUp();
    const many = Array.from({ length: 2 * MAX_ADDRESSES }, (_, n) => `10.77.0.${n}`);
    election.configure([contested('public.0')]);
    election.setFit(true);
    wait(400);
    election.configure([contested('public.0', ...many, '10.77.0.200')]);
    wait(100);
    const { addresses } = world.sent.at(-1)!;
    expect(addresses).to.have.length(MAX_ADDRESSES);
    expect(addresses.map((bytes) => Buffer.from(bytes).toString('hex'))).to.include('0a4d00c8');
  });

  it('contests over IPv6 where there are no IPv4 addresses', () => {
    const { world, election, wait } = setUp();
    election.configure([contested('six.0', 'fd00:77::c8'), contested('both.0', 'fd00:77::c9', '10.77.0.200')]);
    election.setFit(true);
    wait(400);
    expect(world.sent.map(({ segment }) => segment.family).sort()).to.deep.include.members(['ipv4', 'ipv6']);
    const both = world.sent.find(({ virtualRouterId: id }) => id === virtualRouterId('both.0'))!;
    expect(both.addresses).to.have.length(1);
  });

  it('goes on where it was when it is configured anew, and yields what is left out', () => {
    const { world, election, wait } = setUp();
    election.configure([contested('public.0')]);
    election.setFit(true);
    wait(1_000);
    election.configure([contested('public.0', '10.77.0.200', '10.77.0.216')]);
    wait(A);
    expect(world.log.filter((entry) => entry.startsWith('own'))).to.have.length(1);
    expect(world.sent.at(-1)!.addresses).to.have.length(2);
    election.configure([]);
    expect(world.log.at(-1)).to.equal('yield public.0 handing over');
    expect(world.wakeAt).to.equal(undefined);
  });

  it('says why it cannot contest, and tries again', () => {
    const { world, election, wait } = setUp();
    world.failure = new Error('this node has no ipv4 InternalIP to speak VRRP from');
    election.configure([contested('public.0')]);
    election.setFit(true);
    expect(world.errors).to.deep.equal([`contest public.0 by VRRP: ${world.failure.message}`]);
    world.failure = undefined;
    wait(2_000);
    expect(world.log).to.include('own public.0 lapsed=undefined');
  });

  it('goes on without an answer when its advertisements cannot be sent', () => {
    const { world, election, wait } = setUp();
    election.configure([contested('public.0')]);
    election.setFit(true);
    world.failure = new Error('ENETUNREACH');
    wait(400);
    expect(world.errors[0]).to.equal('advertise public.0: ENETUNREACH');
    expect(election.mayAnswer('public.0')).to.equal(true);
  });

  it('hands over to a node that claims, once the others have heard of that too, and listens then', () => {
    const { world, election, wait } = setUp();
    election.setFit(true);
    election.configure([contested('public.0')]);
    wait(1_000);
    expect(world.log).to.include('own public.0 lapsed=undefined');
    election.claimed('public.0', 'n3');
    wait(99);
    expect(election.mayAnswer('public.0')).to.equal(true);
    wait(1);
    expect(world.log.at(-1)).to.equal('yield public.0 handing over');
    expect(world.sent.at(-1)!.priority).to.equal(0);
    wait(200);
    expect(election.mayAnswer('public.0')).to.equal(false);
    wait(1_000); // nobody came
    expect(election.mayAnswer('public.0')).to.equal(true);
  });

  it('does not hand over to a node that is no candidate, nor after the claim is gone', () => {
    const { world, election, wait } = setUp();
    election.setFit(true);
    election.configure([contested('public.0')]);
    wait(1_000);
    election.claimed('public.0', 'n9');
    wait(1_000);
    election.claimed('public.0', 'n3');
    election.claimed('public.0', undefined);
    wait(1_000);
    expect(world.log.filter((line) => line.startsWith('yield'))).to.deep.equal([]);
  });

  it('takes over at once what it has claimed, and leaves to another what that one has', () => {
    for (const [claimant, mayAnswer] of [
      ['n2', [true, true]],
      ['n3', [false, false]],
      [undefined, [false, true]],
    ] as const) {
      const { election, wait, hear } = setUp();
      election.setFit(true);
      election.configure([contested('public.0')]);
      hear('public.0', '10.77.0.11', 254);
      election.claimed('public.0', claimant);
      hear('public.0', '10.77.0.11', 0);
      expect(election.mayAnswer('public.0')).to.equal(mayAnswer[0]);
      wait(299);
      expect(election.mayAnswer('public.0')).to.equal(mayAnswer[1]);
      wait(1); // the claimant has not come
      expect(election.mayAnswer('public.0')).to.equal(true);
    }
  });

  it('withdraws before it says that it stops', async () => {
    const { world, election, wait } = setUp();
    election.configure([contested('public.0')]);
    election.setFit(true);
    wait(400);
    const sent = world.sent.length;
    await election.stop({ release: true });
    expect(world.log.at(-1)).to.equal('yield public.0 handing over');
    expect(world.sent.slice(sent).map(({ priority }) => priority)).to.deep.equal([0]);
  });

  it('gives nodes falling priorities along the ranking, never 0 or 255', () => {
    expect(NODES.map((node) => priorityOf(node, NODES))).to.deep.equal([254, 241, 228]);
    const many = Array.from({ length: 200 }, (_, n) => `n${n}`);
    const priorities = many.map((node) => priorityOf(node, many));
    expect(new Set(priorities).size).to.equal(200);
    expect(Math.min(...priorities)).to.be.at.least(1);
    expect(priorityOf('stranger', NODES)).to.equal(1);
  });
});

describe('a node that VRRP is to make the owner', () => {
  /** Somebody answers from `from` on; answers come a millisecond after the question. */
  function witnessed(from: number) {
    let asked = 0;
    const setting = setUp('n2', {
      witnesses: {
        heard: () => {},
        ask: () => {
          asked += 1;
        },
        hears: (since) => asked > 0 && setting.world.now >= from && since <= setting.world.now,
      },
    });
    setting.election.configure([contested('public.0')]);
    setting.election.setFit(true);
    setting.hear('public.0', '10.77.0.11', 254);
    return { ...setting, asked: () => asked };
  }
  const owns = (log: readonly string[]) => log.some((line) => line.startsWith('own'));

  it('takes over as fast as ever when somebody answers, whom it asks as soon as the owner is late', () => {
    const { world, wait, asked } = witnessed(0);
    const before = asked();
    wait(210);
    expect(asked()).to.equal(before + 1);
    wait(96);
    expect(owns(world.log)).to.equal(true);
  });

  it('takes over as soon as an answer comes that took longer than it should', () => {
    const { world, wait } = witnessed(900);
    wait(899);
    expect(owns(world.log)).to.equal(false);
    wait(20);
    expect(owns(world.log)).to.equal(true);
    expect(world.errors).to.deep.equal([]);
  });

  it('does not take over while it hears of nobody, for however long, and says so', () => {
    const { world, wait, asked } = witnessed(Number.POSITIVE_INFINITY);
    wait(600_000);
    expect(owns(world.log)).to.equal(false);
    expect(world.sent).to.deep.equal([]);
    expect(world.errors[0]).to.include('this node seems to be cut off');
    expect(asked()).to.be.greaterThan(1_000);
  });

  it('listens whether the owner is still there when it hears again, and takes over if it is not', () => {
    const { world, wait, hear } = witnessed(5_000);
    wait(5_200);
    for (let n = 0; n < 20; n++) {
      hear('public.0', '10.77.0.11', 254);
      wait(100);
    }
    expect(owns(world.log)).to.equal(false);
    wait(310);
    expect(owns(world.log)).to.equal(true);

    const alone = witnessed(5_000);
    alone.wait(5_300);
    expect(owns(alone.world.log)).to.equal(false);
    alone.wait(600);
    expect(owns(alone.world.log)).to.equal(true);
  });

  it('listens for longer when it starts, but not when it gets something new later', () => {
    const { world, election, wait } = setUp('n1', { hearingMs: 1_200 });
    election.configure([contested('public.0')]);
    election.setFit(true);
    wait(1_199);
    expect(owns(world.log)).to.equal(false);
    wait(1);
    expect(owns(world.log)).to.equal(true);
    election.configure([contested('public.0'), contested('public.1', '10.77.0.201')]);
    wait(310);
    expect(world.log.filter((line) => line.startsWith('own'))).to.have.length(2);
  });
});
