import { parseAddress } from '@fairlead/api';
import { expect } from 'chai';
import { allowedSources, nobody, type OwnNode } from './source-ranges.js';

const VIP = '10.77.0.200';
const VIP6 = 'fd00:77::200';
const node: OwnNode = {
  addresses: ['10.77.0.11', 'fd00:77::11'].map(parseAddress),
  link: ['169.254.77.1', 'fe80::4d:1'].map(parseAddress),
};

describe('source ranges', () => {
  const table: [string, string, string[] | undefined, 'open' | string[]][] = [
    ['without any, everyone may connect', VIP, undefined, 'open'],
    ['a range that leaves nobody out is the same', VIP, ['0.0.0.0/0'], 'open'],
    ['also when it is there in two halves', VIP6, ['8000::/1', '::/1', '10.0.0.0/8'], 'open'],
    ['one address is written as such', VIP, ['203.0.113.5/32'], ['203.0.113.5']],
    ['ranges come in order', VIP, ['192.168.0.0/16', '10.0.0.0/8'], ['10.0.0.0/8', '192.168.0.0/16']],
    ['one within another does not count', VIP, ['10.1.0.0/16', '10.0.0.0/8'], ['10.0.0.0/8']],
    ['halves are joined', VIP, ['10.0.0.0/25', '10.0.0.128/25'], ['10.0.0.0/24']],
    ['what touches is joined', VIP, ['10.0.1.0/24', '10.0.2.0/24'], ['10.0.1.0-10.0.2.255']],
    ['those of the other family do not count', VIP, ['2001:db8::/32', '10.0.0.0/8'], ['10.0.0.0/8']],
    ['with ranges of the other family alone, nobody may', VIP6, ['10.0.0.0/8'], []],
    ['with an empty list, nobody may', VIP, [], []],
  ];
  for (const [what, vip, ranges, sources] of table) {
    it(what, () => expect(allowedSources(vip, ranges, nobody)).to.deep.equal(sources));
  }

  it('let a node in under its link address if one of its own is in them', () => {
    expect(allowedSources(VIP, ['10.77.0.0/24'], node)).to.deep.equal(['10.77.0.0/24', '169.254.77.1']);
    expect(allowedSources(VIP6, ['fd00:77::11/128'], node)).to.deep.equal(['fd00:77::11', 'fe80::4d:1']);
    expect(allowedSources(VIP, ['10.77.0.12/32'], node)).to.deep.equal(['10.77.0.12']);
    expect(allowedSources(VIP, ['169.254.0.0/16', '10.77.0.0/24'], node)).to.deep.equal([
      '10.77.0.0/24',
      '169.254.0.0/16',
    ]);
  });

  it('must be ranges', () => {
    expect(() => allowedSources(VIP, ['10.0.0.1/8'], nobody)).to.throw(/10\.0\.0\.1\/8/);
  });
});
