import { expect } from 'chai';
import { ARP_REPLY, ARP_REQUEST, type ArpFrame, decodeArpFrame } from './arp.js';
import { BROADCAST_MAC, parseMac, ZERO_MAC } from './mac.js';
import { type Claims, reactToArp } from './responder.js';

const MAC = parseMac('02:00:00:00:00:0a');
const OTHER = parseMac('02:00:00:00:00:0b');
const VIP = 0x0a4d00c8;
const FOREIGN_VIP = 0x0a4d00c9;
const ASKER = 0x0a4d0064;

const owner: Claims = { isVip: (ip) => ip === VIP || ip === FOREIGN_VIP, mayAnswer: (ip) => ip === VIP };
const standby: Claims = { ...owner, mayAnswer: () => false };

function packet(changes: Partial<ArpFrame>): ArpFrame {
  return {
    destination: BROADCAST_MAC,
    source: OTHER,
    operation: ARP_REQUEST,
    senderMac: OTHER,
    senderIp: ASKER,
    targetMac: ZERO_MAC,
    targetIp: VIP,
    ...changes,
  };
}

describe('reaction to an ARP packet', () => {
  const cases: [string, Partial<ArpFrame>, Claims, string][] = [
    ['the owner answers a broadcast request', {}, owner, 'reply'],
    [
      'the owner answers a unicast request, as a cache that verifies its entry sends it',
      { destination: MAC },
      owner,
      'reply',
    ],
    ['the owner answers a probe, so that nobody else takes the address', { senderIp: 0 }, owner, 'reply'],
    ['a standby is silent', {}, standby, 'ignore'],
    ['the owner is silent about a VIP that another node owns', { targetIp: FOREIGN_VIP }, owner, 'ignore'],
    ['the owner is silent about addresses that are not VIPs', { targetIp: ASKER + 1 }, owner, 'ignore'],
    ['a reply is not answered', { operation: ARP_REPLY }, owner, 'ignore'],
    ['other operations are not answered', { operation: 3 }, owner, 'ignore'],
    ['our own announcement, looped back, is let be', { senderMac: MAC, senderIp: VIP }, owner, 'ignore'],
    ['somebody else announcing our VIP by request is a rival', { senderIp: VIP }, owner, 'rival'],
    ['somebody else announcing our VIP by reply is a rival', { operation: ARP_REPLY, senderIp: VIP }, standby, 'rival'],
  ];
  for (const [behaviour, changes, claims, kind] of cases) {
    it(behaviour, () => {
      expect(reactToArp(packet(changes), MAC, claims).kind).to.equal(kind);
    });
  }

  it('answers with the address of the interface that was asked', () => {
    const reaction = reactToArp(packet({}), MAC, owner);
    if (reaction.kind !== 'reply') throw new Error(reaction.kind);
    expect(decodeArpFrame(reaction.frame)).to.include({ operation: ARP_REPLY, senderIp: VIP, targetIp: ASKER });
    expect(decodeArpFrame(reaction.frame)?.senderMac).to.deep.equal(MAC);
  });

  it('asks for every packet anew whether it may answer', () => {
    let now = 0;
    const claims: Claims = { ...owner, mayAnswer: () => now < 3_000 };
    now = 2_999;
    expect(reactToArp(packet({}), MAC, claims).kind).to.equal('reply');
    now = 3_000;
    expect(reactToArp(packet({}), MAC, claims).kind).to.equal('ignore');
  });
});
