import { expect } from 'chai';
import { ARP_REPLY, ARP_REQUEST, type ArpFrame, decodeArpFrame } from './arp.js';
import { BROADCAST_MAC, parseMac, ZERO_MAC } from './mac.js';
import type { NdpPacket } from './ndp.js';
import { decodeNdpFrame } from './ndp.js';
import { type Claims, reactToArp, reactToNdp } from './responder.js';

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

describe('reaction to Neighbour Discovery', () => {
  const VIP6 = 'fd0000770000000000000000000000c8';
  const ASKER6 = 'fd000077000000000000000000000064';
  const NOBODY = '0'.repeat(32);
  const owner6: Claims = { isVip: (ip) => ip === VIP6, mayAnswer: (ip) => ip === VIP6 };
  const standby6: Claims = { ...owner6, mayAnswer: () => false };
  const asked: NdpPacket = {
    kind: 'solicitation',
    sourceMac: OTHER,
    sourceIp: ASKER6,
    target: VIP6,
    linkLayer: OTHER,
  };
  const said: NdpPacket = { ...asked, kind: 'advertisement', sourceIp: VIP6 };
  const cases: [string, Partial<NdpPacket>, Claims, string][] = [
    ['the owner answers', {}, owner6, 'reply'],
    ['the owner answers who does not tell its hardware address', { linkLayer: undefined }, owner6, 'reply'],
    ['the owner answers a probe, so that nobody else takes the address', { sourceIp: NOBODY }, owner6, 'reply'],
    ['a standby is silent', {}, standby6, 'ignore'],
    ['the owner is silent about addresses that are not VIPs', { target: ASKER6 }, owner6, 'ignore'],
    ['our own announcement, looped back, is let be', { ...said, sourceMac: MAC, linkLayer: MAC }, owner6, 'ignore'],
    ['somebody else advertising our VIP is a rival', said, standby6, 'rival'],
    ['somebody else asking from our VIP is a rival', { sourceIp: VIP6, target: ASKER6 }, owner6, 'rival'],
    ['an advertisement of another address is let be', { ...said, target: ASKER6 }, owner6, 'ignore'],
  ];
  for (const [behaviour, changes, claims, kind] of cases) {
    it(behaviour, () => expect(reactToNdp({ ...asked, ...changes }, MAC, claims).kind).to.equal(kind));
  }

  it('answers with the address of the interface that was asked', () => {
    const reaction = reactToNdp(asked, MAC, owner6);
    if (reaction.kind !== 'reply') throw new Error(reaction.kind);
    expect(decodeNdpFrame(reaction.frame)).to.deep.include({ kind: 'advertisement', target: VIP6, linkLayer: MAC });
  });
});
