/** Which frames of a LAN wake the wire thread: the kernel's verdict on its filters. */

import { expect } from 'chai';
import { arpProbe, encodeArpFrame } from './arp.js';
import { Cable } from './cable.spec.helpers.js';
import { BROADCAST_MAC, ZERO_MAC } from './mac.js';
import { ndpProbe, unsolicitedAdvertisement } from './ndp.js';

const VIP = 0x0a4d00c8;
const VIP6 = 'fd0000770000000000000000000000c8';

describe('a frame from the LAN', function () {
  this.timeout(60_000);
  let cable: Cable;
  beforeEach(() => {
    cable = new Cable();
    cable.own(['10.77.0.200', 'fd00:77::c8']);
  });
  afterEach(() => cable.close());

  function arp(operation: number, change: (frame: Buffer) => void = () => {}): Buffer {
    const mac = cable.mac('there');
    const frame = encodeArpFrame({
      ...{ destination: BROADCAST_MAC, source: mac, senderMac: mac, targetMac: ZERO_MAC, targetIp: VIP },
      ...{ operation, senderIp: 0x0a4d0064 },
    });
    change(frame);
    return frame;
  }

  function ndp(change: (frame: Buffer) => void): Buffer {
    const frame = ndpProbe(VIP6, cable.mac('there'));
    change(frame);
    return frame;
  }

  it('is looked at when it is about neighbours, and not otherwise', async () => {
    const noise = [
      arp(3), // RARP
      arp(8), // InARP
      arp(1, (frame) => frame.writeUInt16BE(6, 14)), // of another kind of hardware
      arp(1, (frame) => frame.writeUInt16BE(0x86dd, 16)), // about something else than IPv4
      arp(1, (frame) => frame.writeUInt8(8, 18)),
      ndp((frame) => frame.writeUInt8(64, 21)), // has passed a router
      ndp((frame) => frame.writeUInt8(17, 20)), // UDP
      ndp((frame) => frame.writeUInt8(134, 54)), // a router's advertisement
      ndp((frame) => frame.writeUInt8(128, 54)), // ping
      ndp((frame) => frame.writeUInt16BE(0x0800, 12)), // IPv4
    ];
    const signals = [
      arp(1),
      arp(2),
      arpProbe(VIP, cable.mac('there')),
      ndpProbe(VIP6, cable.mac('there')),
      unsolicitedAdvertisement(VIP6, cable.mac('there')),
    ];
    const heard: Buffer[] = [];
    const isOurs = (frame: Buffer) => frame.subarray(6, 12).equals(cable.mac('there'));
    const listened = cable.handled((frame) => {
      if (isOurs(frame)) heard.push(Buffer.from(frame));
      return heard.length === signals.length;
    });
    cable.send(...noise, ...signals);
    await listened;
    const hex = (frames: readonly Buffer[]) => frames.map((frame) => frame.toString('hex'));
    expect(hex(heard)).to.have.members(hex(signals));
  });
});
