import { expect } from 'chai';
import { Suspects } from './suspects.js';

describe('suspects', () => {
  it('are passed over for a while, and only they', () => {
    const suspects = new Suspects();
    suspects.suspect('n1', 2_500);
    expect(suspects.has('n1', 2_499)).to.equal(true);
    expect(suspects.has('n2', 2_499)).to.equal(false);
    expect(suspects.has('n1', 2_500)).to.equal(false);
  });

  it('that lost several virtual routers are passed over until the last of them', () => {
    const suspects = new Suspects();
    suspects.suspect('n1', 3_000);
    suspects.suspect('n1', 2_000);
    expect(suspects.has('n1', 2_500)).to.equal(true);
  });
});
