import type { Address, Link, LinkEvent } from '@fairlead/netlink';
import { expect } from 'chai';
import { hostChange } from './host-changes.js';

const own = { name: 'fairlead0', index: 7 };
const link = (name: string, state: { up: boolean; carrier: boolean }) => ({ name, ...state }) as Link;
const address = (index: number) => ({ index }) as Address;
const running = { up: true, carrier: true };

function changes(...events: LinkEvent[]): string[] {
  return events.map((event) => hostChange(event, own));
}

describe('a change of the host', () => {
  it('that is only the dead man’s switch being prolonged calls for nothing', () => {
    expect(changes({ type: 'address', address: address(7) })).to.deep.equal(['nothing']);
  });

  it('of an interface that may lead to a LAN calls for a new plan', () => {
    expect(
      changes(
        { type: 'link', link: link('eth0', { up: true, carrier: false }) },
        { type: 'link-removed', link: link('eth0', running) },
        { type: 'address', address: address(2) },
        { type: 'address-removed', address: address(2) },
      ),
    ).to.deep.equal(['plan', 'plan', 'plan', 'plan']);
  });

  it('that cuts the way into the director calls for a look at the kernel', () => {
    expect(
      changes(
        { type: 'link', link: link('fairlead0', { up: false, carrier: false }) },
        { type: 'link', link: link('fairlead0', { up: true, carrier: false }) },
        { type: 'link-removed', link: link('fairlead0', running) },
        { type: 'address-removed', address: address(7) },
        { type: 'resync', error: new Error('lost') },
      ),
    ).to.deep.equal(Array(5).fill('inspect'));
  });

  it('that leaves the way into the director in order calls for nothing', () => {
    expect(changes({ type: 'link', link: link('fairlead0', running) })).to.deep.equal(['nothing']);
  });
});
