import { type AddressPool, formatRange, parseAddress } from '@fairlead/api';
import { expect } from 'chai';
import { Allocator } from '../allocator/allocator.js';
import { holder, mergePatch } from '../model/model-cluster.spec.helpers.js';
import { judgePools } from './pool-judgement.js';
import { type Occupant, withheldFrom } from './pool-occupants.js';
import { planPool } from './pool-plan.js';
import { allocatorPoolOf, spaceInEffect } from './pool-view.js';

const NOW = Date.UTC(2026, 0, 3);
/** Addresses that Services have, each one its own. */
type Use = readonly string[];

function pool(name: string, addresses: string[], more: object = {}): AddressPool {
  const base = {
    apiVersion: 'fairlead.dev/v1alpha1',
    kind: 'AddressPool',
    metadata: { name, generation: 1, creationTimestamp: '2026-01-01T00:00:00Z', resourceVersion: '7' },
    spec: { addresses },
  };
  return mergePatch(base, more) as AddressPool;
}

const day = (n: number) => ({ metadata: { creationTimestamp: `2026-01-0${n}T00:00:00Z` } });

/** An allocator that knows these pools and this use, as the controller's does. */
function allocatorOf(pools: readonly AddressPool[], use: Use): Allocator {
  const allocator = new Allocator(() => NOW);
  allocator.setPools(pools.map(allocatorPoolOf));
  for (const text of use) allocator.adopt(holder(`default/${text}`), parseAddress(text));
  return allocator;
}

interface Setting {
  others?: AddressPool[];
  use?: Use;
  occupants?: Occupant[];
}

/** The pool as it stands after the plan has nothing more to say, and how many writes that took. */
function settle(start: AddressPool, { others = [], use = [], occupants = [] }: Setting = {}) {
  let object = start;
  const events: string[] = [];
  const allocator = allocatorOf([...others, object], use);
  for (let writes = 0; ; writes++) {
    expect(writes, 'the plan comes to rest').to.be.lessThan(6);
    const pools = [...others, object];
    allocator.setPools(pools.map(allocatorPoolOf), withheldFrom(pools.map(spaceInEffect), occupants));
    const judgement = judgePools(pools, occupants).get(object.metadata.name)!;
    const plan = planPool(object, judgement, allocator, NOW, occupants);
    if (!plan) return { object, events, writes };
    events.push(...plan.events.map(({ type, reason, message }) => `${type} ${reason}: ${message}`));
    object = mergePatch(object, plan.body) as AddressPool;
  }
}

function edited(object: AddressPool, spec: object): AddressPool {
  return mergePatch(object, { metadata: { generation: object.metadata.generation! + 1 }, spec }) as AddressPool;
}

function accepted(object: AddressPool): string {
  const { status, reason, message, observedGeneration } = object.status!.conditions![0]!;
  return `${status} ${reason} @${observedGeneration} ${message}`;
}

describe('an AddressPool', () => {
  it('is guarded by a finalizer, then accepted with its numbers; then there is nothing to write', () => {
    const { object, events, writes } = settle(pool('public', ['192.0.2.0/29', '192.0.2.8/32', '2001:db8::/64']));
    expect(writes).to.equal(2);
    expect(object.metadata.finalizers).to.deep.equal(['fairlead.dev/address-pool-in-use']);
    expect(object.status).to.deep.equal({
      observedGeneration: 1,
      conditions: [
        {
          type: 'Accepted',
          status: 'True',
          reason: 'Accepted',
          message: '9 IPv4 and 18446744073709551616 IPv6 addresses in 8 virtual routers',
          observedGeneration: 1,
          lastTransitionTime: '2026-01-03T00:00:00Z',
        },
      ],
      inEffect: { addresses: ['192.0.2.0/29', '192.0.2.8/32', '2001:db8::/64'], virtualRouters: 8 },
      allocated: 0,
      ipv4: { capacity: '9', allocated: 0, free: '9' },
      ipv6: { capacity: '18446744073709551616', allocated: 0, free: '18446744073709551616' },
    });
    expect(events).to.deep.equal([
      'Normal PoolAccepted: Accepted: 9 IPv4 and 18446744073709551616 IPv6 addresses in 8 virtual routers',
    ]);
    expect(allocatorPoolOf(object)).to.deep.include({ mode: 'open', autoAssign: true, deleting: false });
  });

  it('gives nothing out before its status accepts the spec as it is now', () => {
    const fresh = pool('public', ['192.0.2.0/29']);
    expect(allocatorPoolOf(fresh)).to.deep.include({ mode: 'undecided', ranges: [] });
    const { object } = settle(fresh);
    const wider = edited(object, { addresses: ['192.0.2.0/28'] });
    expect(allocatorPoolOf(wider).mode).to.equal('undecided');
    expect(allocatorPoolOf(wider).ranges.map(formatRange)).to.deep.equal(['192.0.2.0/29']);
    expect(allocatorPoolOf(settle(wider).object).ranges.map(formatRange)).to.deep.equal(['192.0.2.0/28']);
  });

  it('that is invalid from the start is not accepted, with reason, place and advice, in one write', () => {
    const { object, events, writes } = settle(pool('public', ['192.0.2.5/28']));
    expect(writes).to.equal(1);
    expect(accepted(object)).to.match(
      /^False InvalidAddresses @1 spec\.addresses\[0\]: "192\.0\.2\.5\/28" .* write 192/,
    );
    expect(object.status).to.include({ allocated: 0 }).and.not.have.any.keys('ipv4', 'ipv6');
    expect(events).to.have.length(1);
    expect(events[0]).to.match(/^Warning PoolRejected: spec\.addresses\[0\]/);
    expect(allocatorPoolOf(object).mode).to.equal('closed');
  });

  it('that becomes invalid keeps what was accepted for what is in use, gives out nothing, and recovers', () => {
    const { object: good } = settle(pool('public', ['192.0.2.0/29']));
    const { object: bad, events } = settle(edited(good, { addresses: ['192.0.2.0/99'] }), { use: ['192.0.2.0'] });
    expect(accepted(bad)).to.match(/^False InvalidAddresses @2 .*prefix length.*Services keep their addresses/);
    expect(bad.status?.inEffect?.addresses).to.deep.equal(['192.0.2.0/29']);
    expect(bad.status).to.deep.include({ ipv4: { capacity: '8', allocated: 1, free: '7' } });
    expect(allocatorPoolOf(bad).mode).to.equal('closed');
    expect(events).to.have.length(1);
    const { object: recovered } = settle(edited(bad, { addresses: ['192.0.2.0/29'] }), { use: ['192.0.2.0'] });
    expect(accepted(recovered)).to.match(/^True Accepted @3/);
  });

  it('that shrinks drains the addresses in use outside of it, until they are free', () => {
    const { object } = settle(pool('public', ['192.0.2.0/29']));
    const usage = ['192.0.2.0', '192.0.2.1', '192.0.2.7'];
    const { object: smaller } = settle(edited(object, { addresses: ['192.0.2.4/30'] }), { use: usage });
    expect(smaller.status?.inEffect).to.deep.include({ addresses: ['192.0.2.4/30'], draining: ['192.0.2.0/31'] });
    expect(smaller.status).to.deep.include({
      allocated: 3,
      ipv4: { capacity: '4', allocated: 3, free: '3', draining: 2 },
    });
    const { object: later, events } = settle(smaller, { use: ['192.0.2.7'] });
    expect(later.status?.inEffect).to.not.have.property('draining');
    expect(events, 'counting is no event').to.deep.equal([]);
  });

  it('that overlaps an older one is not accepted and names it; the older one is not touched', () => {
    const { object: older } = settle(pool('older', ['192.0.2.0/28'], day(1)));
    const newer = pool('newer', ['198.51.100.0/24', '192.0.2.8-192.0.2.40'], day(2));
    const { object } = settle(newer, { others: [older] });
    expect(accepted(object)).to.match(
      /^False Overlap @1 192\.0\.2\.8-192\.0\.2\.40 overlaps AddressPool "older", which has 192\.0\.2\.8\/29 already; take/,
    );
    expect(settle(older, { others: [object] }).writes).to.equal(0);
  });

  it('that comes back, older by date, does not push out one that is accepted', () => {
    const { object: working } = settle(pool('working', ['192.0.2.0/28'], day(2)));
    const restored = pool('restored', ['192.0.2.0/24'], day(1));
    expect(accepted(settle(restored, { others: [working] }).object)).to.match(/^False Overlap .*"working"/);
    expect(settle(working, { others: [restored] }).writes).to.equal(0);
  });

  it('that is edited into another keeps its former addresses, and the other one is not touched', () => {
    const { object: a } = settle(pool('a', ['192.0.2.0/28'], day(1)));
    const { object: b } = settle(pool('b', ['192.0.2.16/28'], day(2)), { others: [a] });
    const { object: wider } = settle(edited(a, { addresses: ['192.0.2.0/27'] }), { others: [b] });
    expect(accepted(wider)).to.match(/^False Overlap @2 192\.0\.2\.0\/27 overlaps AddressPool "b"/);
    expect(wider.status?.inEffect?.addresses).to.deep.equal(['192.0.2.0/28']);
    expect(settle(b, { others: [wider] }).writes).to.equal(0);
    const third = pool('third', ['192.0.2.4/32'], day(3));
    expect(accepted(settle(third, { others: [wider, b] }).object), 'former addresses are not up for grabs').to.match(
      /"a"/,
    );
  });

  it('of two new ones that overlap the older is accepted, or the first by name', () => {
    const judge = (...pools: AddressPool[]) =>
      [...judgePools(pools)].filter(([, judgement]) => judgement.ok).map(([name]) => name);
    expect(judge(pool('a', ['192.0.2.0/28'], day(2)), pool('b', ['192.0.2.0/29'], day(1)))).to.deep.equal(['b']);
    expect(judge(pool('b', ['192.0.2.0/28']), pool('a', ['192.0.2.0/29']))).to.deep.equal(['a']);
  });

  it('is accepted as soon as the one in its way shrinks, in the same pass', () => {
    const { object: first } = settle(pool('first', ['192.0.2.0/28'], day(2)));
    const { object: second } = settle(pool('second', ['192.0.2.8/29'], day(1)), { others: [first] });
    const shrunk = edited(first, { addresses: ['192.0.2.0/29'] });
    const judgements = judgePools([shrunk, second]);
    expect([judgements.get('first')?.ok, judgements.get('second')?.ok]).to.deep.equal([true, true]);
  });

  it('that is deleted while in use stays, says so once, and goes when the last address is free', () => {
    const { object } = settle(pool('public', ['192.0.2.0/29']));
    const deleted = mergePatch(object, { metadata: { deletionTimestamp: '2026-01-03T00:00:00Z' } }) as AddressPool;
    const blocked = settle(deleted, { use: ['192.0.2.0', '192.0.2.1'] });
    expect(accepted(blocked.object)).to.match(
      /^False Deleting @1 being deleted.* 2 in use are free; delete the Services/,
    );
    expect(blocked.object.status?.inEffect?.addresses).to.deep.equal(['192.0.2.0/29']);
    expect(blocked.events).to.have.length(1);
    const fewer = settle(blocked.object, { use: ['192.0.2.0'] });
    expect(fewer.events, 'one warning, not one per address').to.deep.equal([]);
    const free = settle(fewer.object);
    expect(free.object.metadata).to.not.have.property('finalizers');
    expect(free.writes).to.equal(1);
  });

  it('with the addresses of one that is being deleted is accepted, to take them over', () => {
    const { object } = settle(pool('old', ['192.0.2.0/29']));
    const deleted = mergePatch(object, { metadata: { deletionTimestamp: '2026-01-03T00:00:00Z' } }) as AddressPool;
    expect(accepted(settle(pool('new', ['192.0.2.0/28'], day(2)), { others: [deleted] }).object)).to.match(/^True/);
  });
});
