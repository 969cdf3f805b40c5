import { expect } from 'chai';
import { ARP_REQUEST, gratuitousArp } from './arp.js';
import { parseMac } from './mac.js';
import { EXPECTED } from './routing.js';
import { CLIENT_MAC, ROUTER, request, setUp, UPLINK, VIP } from './wire.spec.helpers.js';

describe('where the wire has the kernel send what comes for its VIPs', () => {
  it('forwards after it has yielded until the next owner announces itself, but answers nobody', async () => {
    const { wire, state, port } = setUp();
    wire.own('public.0', undefined);
    wire.yield('public.0', 'test', true);
    port.frames = [];
    wire.frame(port, request(VIP));
    expect(port.frames).to.have.length(0);
    state.now = 60_000; // nobody can take over
    wire.announceDue();
    expect([...state.claimed]).to.deep.equal([7700]);
    expect(wire.lingering.map(({ name }) => name)).to.deep.equal(['public.0']);
    const settled = wire.settled();
    wire.frame(port, gratuitousArp(VIP, CLIENT_MAC)[0]);
    expect([...state.claimed]).to.deep.equal([]);
    await settled;
  });

  it('forwards for a second more when it is known who took over, and the announcement is not heard', () => {
    const { wire, state } = setUp();
    wire.own('public.0', undefined);
    wire.yield('public.0', 'test', true);
    wire.holder('public.0', 'n2', 'n1');
    expect([...state.claimed]).to.deep.equal([7700]);
    expect(state.wakeAt).to.equal(1_000);
    state.now = 1_000;
    wire.announceDue();
    expect([...state.claimed]).to.deep.equal([]);
  });

  it('does not forward when somebody else may own already, nor what it has no addresses of any more', () => {
    const { wire, configure, state } = setUp();
    wire.own('public.0', undefined);
    wire.yield('public.0', 'test', false);
    expect([...state.claimed]).to.deep.equal([]);
    wire.own('public.0', undefined);
    wire.yield('public.0', 'test', true);
    configure([], [UPLINK]);
    expect([...state.claimed]).to.deep.equal([]);
  });

  it('keeps its rule when it owns again before anybody else has taken over', () => {
    const { wire, state, port } = setUp();
    wire.own('public.0', undefined);
    wire.yield('public.0', 'test', true);
    wire.own('public.0', undefined);
    wire.holder('public.0', 'n2', 'n1');
    state.now = 10_000;
    wire.announceDue();
    wire.frame(port, gratuitousArp(VIP, CLIENT_MAC)[0]);
    expect([...state.claimed]).to.deep.equal([7700]);
  });

  it('puts back a rule that somebody took away, while it is the owner', () => {
    const { wire, state, told } = setUp();
    wire.keepRules();
    wire.own('public.0', undefined);
    wire.keepRules();
    expect(state.log.filter((entry) => entry === 'claim 7700')).to.have.length(1);
    state.claimed.clear();
    wire.keepRules();
    expect(state.claimed).to.deep.equal(new Set([7700]));
    expect(told.at(-1)).to.deep.include({ kind: 'error' });
    state.claimed.clear();
    state.leading = false;
    wire.keepRules();
    expect(state.claimed.size).to.equal(0);
  });

  it('removes the rule that an earlier process left behind when another node is the owner', () => {
    const { wire, state } = setUp();
    wire.holder('public.0', 'n1', 'n1');
    expect(state.log).to.not.include('release 7700');
    wire.holder('public.0', 'n2', 'n1');
    expect(state.log).to.include('release 7700');
  });

  describe('what the director of a new owner does not know', () => {
    const FORMER_MAC = parseMac('02:00:00:00:00:0b');
    const heard = ({ wire, port }: ReturnType<typeof setUp>) => {
      for (const frame of gratuitousArp(VIP, FORMER_MAC)) wire.frame(port, frame);
    };

    it('goes to the station that announced the virtual router before, from before the first announcement on', () => {
      const set = setUp();
      heard(set);
      const frames = set.port.frames.length;
      let first: string | undefined;
      set.port.send = (frames) => {
        first ??= set.state.exits.get(7700);
        return frames.length;
      };
      set.wire.own('public.0', undefined);
      expect(set.port.frames.length).to.equal(frames);
      expect(first).to.equal('eth0 02:00:00:00:00:0b');
      set.state.now = 1_000_000;
      set.wire.announceDue();
      expect(set.state.exits.get(7700), 'for as long as this node owns').to.equal('eth0 02:00:00:00:00:0b');
      set.wire.yield('public.0', 'taken', false);
      expect(set.state.exits.size).to.equal(0);
    });

    it('goes there for a while only when that station has fallen silent', () => {
      const set = setUp();
      heard(set);
      set.wire.own('public.0', 'n2');
      set.state.now = 4_999;
      set.wire.announceDue();
      expect(set.state.exits.get(7700)).to.equal('eth0 02:00:00:00:00:0b');
      set.state.now = set.state.wakeAt!;
      set.state.now = 5_000;
      set.wire.announceDue();
      expect(set.state.exits.get(7700)).to.equal('nobody');
    });

    it('stays where nobody was heard before', () => {
      const { wire, state } = setUp();
      wire.own('public.0', undefined);
      expect(state.exits.get(7700)).to.equal('nobody');
    });

    it('goes to whoever answers while this node hands over, and nowhere once that one was heard', () => {
      const set = setUp();
      set.wire.own('public.0', undefined);
      set.wire.yield('public.0', 'drained', true);
      expect(set.state.exits.get(7700)).to.equal('LAN');
      expect(set.state.expected, 'or the kernel would have to ask').to.deep.equal(['2 10.77.0.200', '2 10.77.0.208']);
      heard(set);
      expect(set.state.exits.size).to.equal(0);
    });

    it('is expected of so many VIPs only as the kernel has room for, of all virtual routers alike', () => {
      const { wire, configure, state } = setUp();
      const routers = Array.from({ length: 16 }, (_, n) => ({
        ...ROUTER,
        name: `public.${n}`,
        vips: Array.from({ length: 100 }, (_, i) => ({ address: `10.0.${n}.${i}`, uplink: 'eth0' })),
      }));
      configure(routers, [UPLINK]);
      for (const { name } of routers) wire.own(name, undefined);
      for (const { name } of routers) wire.yield(name, 'drained', true);
      const expected = routers.map((_, n) => state.expected.filter((line) => line.startsWith(`2 10.0.${n}.`)).length);
      expect(new Set(expected)).to.deep.equal(new Set([EXPECTED / 16]));
    });

    it('does not go to the LAN when this node owns again after all', () => {
      const set = setUp();
      set.wire.own('public.0', undefined);
      set.wire.yield('public.0', 'drained', true);
      set.wire.own('public.0', undefined);
      expect(set.state.exits.get(7700)).to.equal('nobody');
    });

    it('is asked for by a node that came after the announcements', () => {
      const set = setUp();
      set.wire.holder('public.0', 'n2', 'n1');
      expect(set.port.frames.map(({ operation, senderIp, targetIp }) => [operation, senderIp, targetIp])).to.deep.equal(
        [[ARP_REQUEST, 0, VIP]],
      );
      heard(set);
      set.wire.holder('public.0', 'n2', 'n1');
      expect(set.port.frames).to.have.length(1);
    });
  });
});
