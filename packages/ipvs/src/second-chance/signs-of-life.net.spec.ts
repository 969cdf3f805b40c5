import { readFileSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { Rtnetlink } from '@fairlead/netlink';
import { constants, createNetns, deleteNetns, inNetns, listNetns, RawSocket, sockaddrLl } from '@fairlead/raw-socket';
import { expect } from 'chai';
import { directorLink } from '../director/link.js';
import { SignsOfLife } from './signs-of-life.js';

const hostNetns = `fl-signs-h-${process.pid}`;
const director = `fl-signs-d-${process.pid}`;
const ends = directorLink();
const REPETITION = { everyMs: 10, withinMs: 60_000 };
const ETHERTYPE = 0x88b5;

describe('SignsOfLife', function () {
  this.timeout(30_000);
  let host: Rtnetlink;
  let signs: SignsOfLife;
  const missed: string[] = [];

  beforeEach(() => {
    for (const netns of [hostNetns, director]) createNetns(netns);
    host = new Rtnetlink({ netns: hostNetns });
    signs = new SignsOfLife({ director });
    missed.length = 0;
  });
  afterEach(() => {
    signs.close();
    host.close();
    for (const netns of [hostNetns, director]) if (listNetns().includes(netns)) deleteNetns(netns);
  });

  /** The cable between host and director. */
  function plug(): void {
    const { index } = host.addVeth({ name: ends.host.name, peer: { name: ends.director.name, netns: director } });
    host.setLink(index, { up: true });
    const inside = new Rtnetlink({ netns: director });
    inside.setLink(inside.link(ends.director.name)!.index, { up: true });
    inside.close();
  }

  const frame = (text: string) =>
    Buffer.concat([Buffer.from('02fa1ead4d0102fa1ead4d0288b5', 'hex'), Buffer.from(text.padEnd(46))]);
  const say = (text: string) => signs.repeat([frame(text)], REPETITION, () => missed.push(text));

  /** What the host hears from now on, until it is that. */
  async function heard(text: string): Promise<void> {
    const { AF_PACKET: domain, SOCK_RAW: type } = constants;
    const socket = new RawSocket({ domain, type, protocol: 0, netns: hostNetns });
    socket.bind(sockaddrLl({ ifindex: host.link(ends.host.name)!.index, protocol: 3 /* ETH_P_ALL */ }));
    await new Promise<void>((resolve) => {
      socket.onMessages((messages) => {
        const ours = messages.filter(({ data }) => data.readUInt16BE(12) === ETHERTYPE);
        if (ours.some(({ data }) => data.subarray(14).toString().trim() === text)) resolve();
      });
    });
    socket.close();
  }

  /** Inodes of the packet sockets in the director. */
  const sockets = () =>
    inNetns(director, () => readFileSync('/proc/thread-self/net/packet', 'utf8'))
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/).at(-1));

  it('says one thing after another from the same socket', async () => {
    plug();
    const first = say('first')!;
    await heard('first');
    const [socket] = sockets();
    first.end();
    say('second');
    await heard('second');
    expect(sockets()).to.deep.equal([socket]);
    signs.close();
    expect(sockets()).to.deep.equal([]);
  });

  it('says nothing where there is no director yet, and does as soon as there is one', async () => {
    expect(say('early')).to.equal(undefined);
    plug();
    say('late');
    await heard('late');
  });

  it('goes on through a director whose interface was made anew', async () => {
    plug();
    say('before');
    await heard('before');
    host.deleteLink(host.link(ends.host.name)!.index);
    plug();
    while (missed.length === 0) await turn();
    signs.close();
    say('after');
    await heard('after');
    expect(sockets(), 'the first one is closed').to.have.length(1);
  });

  it('tells of a director that was removed, and lets it go', async () => {
    expect(signs.isLost()).to.equal(false);
    plug();
    say('before')!.end();
    expect(signs.isLost()).to.equal(false);
    deleteNetns(director);
    expect(signs.isLost()).to.equal(true);
    createNetns(director);
    expect(signs.isLost()).to.equal(true);
    signs.close();
    expect(signs.isLost()).to.equal(false);
    while (host.link(ends.host.name)) await turn();
    plug();
    say('after');
    await heard('after');
    expect(missed).to.deep.equal([]);
  });
});
