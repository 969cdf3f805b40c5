import { constants, RawSocket, sockaddrIn } from '@fairlead/raw-socket';
import { expect } from 'chai';
import { Alarm } from './alarm.js';

const clock = () => performance.now();

describe('the alarm', () => {
  it('rings after what was received before it could ring', async () => {
    const socket = new RawSocket({ domain: constants.AF_INET, type: constants.SOCK_DGRAM, protocol: 0 });
    try {
      socket.bind(sockaddrIn({ address: '127.0.0.1' }));
      const seen: string[] = [];
      socket.onMessages(() => seen.push('heard'));
      await new Promise<void>((resolve) => {
        const alarm = new Alarm(clock, () => {
          seen.push('rung');
          resolve();
        });
        const due = clock() + 5;
        alarm.set(due);
        socket.send(Buffer.from('an advertisement'), socket.getsockname());
        while (clock() < due + 5);
      });
      expect(seen).to.deep.equal(['heard', 'rung']);
    } finally {
      socket.close();
    }
  });

  it('rings at the last time that it was set to', async () => {
    const last = clock() + 30;
    await new Promise<void>((resolve) => {
      const alarm = new Alarm(clock, resolve);
      for (const at of [clock(), undefined, clock() + 1, last]) alarm.set(at);
    });
    // Node's timers may be a millisecond early.
    expect(clock()).to.be.greaterThan(last - 2);
  });
});
