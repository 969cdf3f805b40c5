import { expect } from 'chai';
import { FakeTransport, fakeSystemError } from '../fake-transport.js';
import { encodeMessages } from '../message.js';
import { deleteLinkRequest } from './link.js';
import { type LinkEvent, LinkMonitor } from './monitor.js';

describe('LinkMonitor', () => {
  const notification = (type: number, payload: Uint8Array) =>
    encodeMessages([{ type, flags: 0, sequence: 0, payload }]);

  it('tells what it does not understand as a reason to read everything again, and goes on', () => {
    const transport = new FakeTransport();
    const events: LinkEvent[] = [];
    const monitor = new LinkMonitor({ transport, onEvent: (event) => events.push(event) });
    transport.notify(notification(16, Buffer.alloc(3)));
    transport.notify(fakeSystemError('ENOBUFS'));
    transport.notify(notification(99, Buffer.alloc(16)));
    transport.notify(notification(17, deleteLinkRequest(5).body));
    expect(
      events.map((event) => (event.type === 'resync' ? event.error.message.slice(0, 25) : event.type)),
    ).to.deep.equal(['malformed netlink message', 'receive netlink notificat', 'link-removed']);
    monitor.close();
    expect(transport.closed).to.equal(true);
  });
});
