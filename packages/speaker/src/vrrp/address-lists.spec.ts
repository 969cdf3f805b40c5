import { encodeAddress } from '@fairlead/netlink';
import { expect } from 'chai';
import { Differences, differenceOf, mismatchText } from './address-lists.js';
import { MAX_ADDRESSES } from './advertisement.js';

const octets = (addresses: readonly string[]) => addresses.map((address) => encodeAddress(address));
const digits = (addresses: readonly string[]) => octets(addresses).map((bytes) => bytes.toString('hex'));
const differ = (theirs: string[], ours: string[]) => differenceOf(octets(theirs), new Set(digits(ours)));
/** Of IPv4, starting at 10.77.1.`from`. */
const many = (count: number, from = 0) => Array.from({ length: count }, (_, n) => `10.77.1.${from + n}`);

describe('addresses of one virtual router that two routers name', () => {
  it('may come in any order', () => {
    expect(differ(['10.77.0.201', '10.77.0.200'], ['10.77.0.200', '10.77.0.201'])).to.equal(undefined);
  });

  it('are others when one has more, or some have nothing to do with each other', () => {
    const [a, b] = ['10.77.0.200', '10.77.0.201'];
    expect(differ([a, b], [a])).to.deep.equal({ apart: false, besides: digits([b]), without: [] });
    expect(differ([a], [a, b])).to.deep.equal({ apart: false, besides: [], without: digits([b]) });
    expect(differ([b], [a])).to.deep.equal({ apart: true, besides: digits([b]), without: digits([a]) });
  });

  it('do not include the link-local one that others name first over IPv6, unless that is all they name', () => {
    expect(differ(['fe80::51', 'fd00:7::100'], ['fd00:7::100'])).to.equal(undefined);
    expect(differ(['fe80::51', 'fd00:7::101'], ['fd00:7::100'])?.apart).to.equal(true);
    expect(differ(['fe80::51'], ['fd00:7::100'])?.apart).to.equal(true);
    expect(differ(['fe80::51'], ['fe80::51'])).to.equal(undefined);
  });

  it('are not all that there are where Fairlead names no more', () => {
    const ours = many(MAX_ADDRESSES + 8);
    expect(differ(ours.slice(8), ours)).to.equal(undefined);
    expect(differ(ours.slice(9), ours)?.without).to.have.length(9);
    expect(differ(many(MAX_ADDRESSES, 9), ours)?.besides).to.have.length(1);
  });
});

describe('a difference of addresses', () => {
  const INTERVAL_MS = 1_000;
  let differences: Differences;
  /** What it says at each of these moments. */
  const at = (times: readonly number[], sender = 'a') =>
    times.map((seconds) => differences.lasts(sender, INTERVAL_MS, seconds * 1_000));
  const seconds = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => from + n);
  beforeEach(() => {
    differences = new Differences();
  });

  it('lasts when it is heard for a minute, however many senders have one', () => {
    for (const second of seconds(0, 60)) expect(at([second], 'a').concat(at([second], 'b'))).to.not.include(true);
    expect(at([60, 61], 'a')).to.deep.equal([true, true]);
    expect(at([60], 'c')).to.deep.equal([false]);
  });

  it('begins anew when it was over, or when its sender was silent', () => {
    at(seconds(0, 60));
    differences.over('a');
    expect(at(seconds(60, 120))).to.not.include(true);
    expect(at([131, ...seconds(132, 191)])).to.not.include(true);
    expect(at([191])).to.deep.equal([true]);
  });
});

describe('what is said of addresses that go on to differ', () => {
  const mismatch = { from: '10.77.0.9', virtualRouterId: 51, name: 'public.0' };

  it('names some of them', () => {
    const text = mismatchText({
      ...mismatch,
      apart: false,
      besides: digits(many(8)),
      without: digits(['10.77.0.200']),
    });
    expect(text).to.contain(
      '10.77.0.9 advertises other addresses by VRRP for public.0 (virtual router 51) than this node has: ',
    );
    expect(text).to.contain(
      'besides, 10.77.1.0, 10.77.1.1, 10.77.1.2, 10.77.1.3, 10.77.1.4 and 3 more; not 10.77.0.200. ',
    );
  });

  it('says who should get another number, where nothing is in common', () => {
    const text = mismatchText({ ...mismatch, apart: true, besides: digits(['fd00:7::100']), without: [] });
    expect(text).to.match(
      /^10\.77\.0\.9 advertises fd00:7::100 by VRRP as virtual router 51, which is the number of public\.0 here: .*another one$/,
    );
  });

  it('does so also where nothing but a link-local address is named', () => {
    expect(mismatchText({ ...mismatch, apart: true, besides: [], without: [] })).to.contain(
      'advertises no VIP by VRRP',
    );
  });
});
