import { expect } from 'chai';
import fc from 'fast-check';
import { objectsIn } from './nft-listing.js';

const listed = (text: string) => [...objectsIn(Buffer.from(text))];

describe('a listing of nft', () => {
  it('has the objects that its JSON has, whatever is in them', () => {
    fc.assert(
      fc.property(fc.array(fc.dictionary(fc.string(), fc.jsonValue())), (nftables) => {
        const text = JSON.stringify({ nftables });
        expect(listed(text)).to.deep.equal(JSON.parse(text).nftables);
        const spaced = JSON.stringify({ nftables }, undefined, 1);
        expect(listed(spaced)).to.deep.equal(JSON.parse(text).nftables);
      }),
    );
  });

  it('is refused when it is cut off', () => {
    expect(() => listed('{"nftables": [{"metainfo": {}}, {"chain": {"name": "a"')).to.throw(SyntaxError);
  });
});
