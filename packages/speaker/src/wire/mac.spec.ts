import { expect } from 'chai';
import { formatMac, parseMac } from './mac.js';

describe('hardware addresses', () => {
  it('are read and written as six octets', () => {
    expect(formatMac(parseMac('02:00:5E:10:00:01'))).to.equal('02:00:5e:10:00:01');
  });

  for (const text of [
    '',
    '02:00:5e:10:00',
    '02:00:5e:10:00:01:02',
    '2:0:5e:10:0:1',
    '02-00-5e-10-00-01',
    '02:00:5e:10:00:0g',
  ]) {
    it(`are refused as "${text}"`, () => {
      expect(() => parseMac(text)).to.throw(RangeError, 'hardware address');
    });
  }
});
