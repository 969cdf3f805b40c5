/** Owners that leave their advertisements to their sockets, and what ends that. The network, and the sockets, are simulated. */
import { expect } from 'chai';
import { INTERVAL_MS as A, Lan, type Node, ROUTERS, type SimulatedRepetition } from './lan.spec.helpers.js';

describe('an owner by VRRP at rest', () => {
  let lan: Lan;
  /** Messages so far, lost ones included. */
  let messages: number;
  const [first, second] = ROUTERS;
  beforeEach(() => {
    lan = new Lan(3);
    messages = 0;
    lan.loses = () => {
      messages++;
      return false;
    };
    // The first one is there alone at first, so that it owns everything.
    lan.nodes[0]!.setFit(true);
    lan.run(5 * A);
    for (const node of lan.nodes) node.setFit(true);
    lan.run(20 * A);
  });

  /** Until the next time that the owner's sockets say it. */
  const awaitTurn = () => lan.run([...ownerOf(first).repeated][0]!.nextAt! - lan.now + 1);
  const ownerOf = (name: string) => lan.nodes.find(({ owned }) => owned.has(name))!;

  it('has nothing to do, and still advertises as often, and answers', () => {
    const owner = ownerOf(first);
    expect(owner.repeated.size).to.equal(1);
    expect([owner.wakeAt, owner.owned.size]).to.deep.equal([undefined, 2]);
    const before = messages;
    lan.run(50 * A, () => expect(owner.election.mayAnswer(first)).to.equal(true));
    // Of two virtual routers to two nodes.
    expect(messages - before).to.be.within(49 * 4, 51 * 4);
    expect(lan.nodes.map(({ owned }) => owned.size).sort()).to.deep.equal([0, 0, 2]);
  });

  it('does not answer when it has stood still, whatever its sockets have to say first', () => {
    const owner = ownerOf(first);
    const others = lan.nodes.filter((node) => node !== owner);
    awaitTurn();
    owner.frozen = true;
    lan.run(2.7 * A);
    expect(owner.election.mayAnswer(first)).to.equal(true);
    lan.run(2 * A);
    expect(others.some(({ owned }) => owned.has(first))).to.equal(true);
    expect(owner.election.mayAnswer(first)).to.equal(false);
    const before = messages;
    owner.thaw();
    expect(messages, 'it advertises no more').to.equal(before);
    expect(owner.election.mayAnswer(first)).to.equal(false);
    lan.run(10 * A, () => expect(lan.answering(first)).to.not.include(owner.id));
  });

  it('answers on where it was late, but not too late', () => {
    const owner = ownerOf(first);
    awaitTurn();
    owner.frozen = true;
    lan.run(2.2 * A);
    owner.thaw();
    lan.run(20 * A, () => expect(lan.answering(first)).to.deep.equal([owner.id]));
    expect(owner.repeated.size).to.equal(1);
  });

  it('advertises by itself at once when a socket cannot, and leaves it to the sockets again', () => {
    const owner = ownerOf(first);
    const before = messages;
    lan.run(A / 2);
    owner.miss();
    expect(owner.repeated.size).to.equal(0);
    lan.run(5 * A, () => expect(lan.answering(first)).to.deep.equal([owner.id]));
    expect(messages - before).to.be.at.least(5 * 4);
    expect(owner.repeated.size).to.equal(0);
    lan.run(10 * A);
    expect(owner.repeated.size).to.equal(1);
  });

  it('hands one over that another node claims, and goes on with the rest', () => {
    const owner = ownerOf(first);
    const claimant = lan.nodes.find((node) => node !== owner)!;
    for (const node of lan.nodes) node.election.claimed(second, `n${claimant.id + 1}`);
    lan.run(5 * A);
    expect([...claimant.owned]).to.deep.equal([second]);
    expect([...owner.owned]).to.deep.equal([first]);
    for (const node of lan.nodes) node.election.claimed(second, undefined);
    lan.run(20 * A);
    expect([owner.repeated.size, claimant.repeated.size]).to.deep.equal([1, 1]);
  });

  it('hands over what is claimed at any time before or after it has left it to its sockets', () => {
    for (let ms = 0; ms <= 15 * A; ms += A / 4) {
      const lan = new Lan(2);
      const [owner, claimant] = lan.nodes as [Node, Node];
      owner.setFit(true);
      while (owner.owned.size < ROUTERS.length) lan.run(A);
      claimant.setFit(true);
      lan.run(ms);
      for (const node of lan.nodes) node.election.claimed(second, 'n2');
      lan.run(10 * A);
      for (const node of lan.nodes) node.election.claimed(second, undefined);
      let most = 0;
      lan.loses = (from) => {
        if (from === owner.id) most++;
        return false;
      };
      lan.run(10 * A);
      expect([[...owner.owned], [...claimant.owned]], `claimed after ${ms} ms`).to.deep.equal([[first], [second]]);
      expect(most, `claimed after ${ms} ms`).to.be.within(9, 11);
    }
  });

  it('goes on advertising everything after it was contended many times at once', () => {
    const owner = ownerOf(first);
    const other = lan.nodes.find((node) => node !== owner)!;
    const [{ outgoing }] = [...owner.repeated] as [SimulatedRepetition];
    const { advertisement } = outgoing[0]!;
    // Each is answered, and nothing else is sent meanwhile.
    for (let n = 0; n < 20; n++) owner.hear(other, { ...advertisement, priority: 1 });
    expect(owner.repeated.size).to.equal(0);
    lan.run(20 * A, () => expect(owner.owned.size).to.equal(2));
    expect([...owner.repeated].map(({ outgoing: { length } }) => length)).to.deep.equal([2]);
  });

  it('advertises also what it takes over', () => {
    const owner = ownerOf(first);
    const other = lan.nodes.find((node) => node !== owner)!;
    for (const node of lan.nodes) node.election.claimed(second, `n${other.id + 1}`);
    lan.run(5 * A);
    for (const node of lan.nodes) node.election.claimed(second, undefined);
    lan.run(20 * A);
    expect(owner.repeated.size).to.equal(1);
    for (const node of lan.nodes) if (node !== owner) node.setFit(false);
    lan.run(20 * A);
    expect([...owner.owned].sort()).to.deep.equal([first, second]);
    expect([...owner.repeated].map(({ outgoing: { length } }) => length)).to.deep.equal([2]);
  });

  it('says nothing any more once it has stopped, whether or not it releases what it owned', async () => {
    for (const release of [true, false]) {
      const owner = ownerOf(first);
      await owner.election.stop({ release });
      expect([owner.owned.size, owner.repeated.size]).to.deep.equal([0, 0]);
      lan.run(20 * A);
    }
  });

  it('says that it stops, and is followed at once', () => {
    const owner = ownerOf(first);
    owner.setFit(false);
    expect(owner.repeated.size).to.equal(0);
    lan.run(1.1 * A);
    expect(ownerOf(first)).to.not.equal(owner);
    expect([owner.owned.size, owner.repeated.size]).to.deep.equal([0, 0]);
  });

  it('advertises what it is configured to since', () => {
    const owner = ownerOf(first);
    owner.configure();
    expect(owner.repeated.size).to.equal(0);
    lan.run(20 * A);
    const [repeated] = owner.repeated;
    expect(repeated!.outgoing.map(({ advertisement }) => advertisement.addresses.length)).to.deep.equal([2, 2]);
  });
});
