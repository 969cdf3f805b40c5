import { expect } from 'chai';
import { checkMachine, explainLinkError } from './requirements.js';

const failure = (run: () => void): Error & { code?: string } => {
  try {
    run();
  } catch (error) {
    return error as Error;
  }
  return expect.fail('it did not throw');
};

describe('what a lab needs of its machine', () => {
  it('is named in one line each, with what to do', () => {
    const error = failure(() => checkMachine({ uid: 1000, path: '/nonexistent' }));
    expect(error.code).to.equal('FL_LAB_REQUIREMENTS');
    expect(error.message.split('\n')).to.deep.equal([
      'a lab makes network namespaces, which takes root: run this as root or with sudo',
      'the command "ip" is missing: apt-get install iproute2',
      'the command "nft" is missing: apt-get install nftables',
      'the command "nsenter" is missing: apt-get install util-linux',
      'the command "setpriv" is missing: apt-get install util-linux',
    ]);
  });

  it('includes veth and bridge in the kernel', () => {
    const refused = Object.assign(new Error('add bridge br0: not supported'), { code: 'EOPNOTSUPP' });
    expect(explainLinkError(refused)).to.include({ code: 'FL_LAB_REQUIREMENTS', cause: refused });
    const other = Object.assign(new Error('add bridge br0: exists'), { code: 'EEXIST' });
    expect(explainLinkError(other)).to.equal(other);
  });
});
