import { expect } from 'chai';
import { errnoName, hasCode, NetlinkError } from './errors.js';

describe('NetlinkError', () => {
  it('names the operation, the errno and what it means', () => {
    const error = new NetlinkError({ operation: 'add route 10.0.0.1/32 table 100', errno: -19 });
    expect(error.message).to.equal('add route 10.0.0.1/32 table 100: ENODEV: no such device');
    expect(error).to.include({ code: 'ENODEV', errno: -19, operation: 'add route 10.0.0.1/32 table 100' });
  });

  it('takes the sign of the errno as it comes', () => {
    expect(new NetlinkError({ operation: 'x', errno: 17 })).to.include({ code: 'EEXIST', errno: -17 });
  });

  it("carries the kernel's explanation", () => {
    const error = new NetlinkError({ operation: 'set link 7', errno: -22, extack: 'mtu greater than device maximum' });
    expect(error.message).to.equal('set link 7: EINVAL: invalid argument (kernel: mtu greater than device maximum)');
    expect(error.extack).to.equal('mtu greater than device maximum');
  });

  it('says what EPERM wants', () => {
    expect(new NetlinkError({ operation: 'x', errno: 1 }).message).to.contain('CAP_NET_ADMIN');
  });

  it('is recognised by its code', () => {
    const error = new NetlinkError({ operation: 'x', errno: 17 });
    expect(hasCode(error, 'ENOENT', 'EEXIST')).to.equal(true);
    expect(hasCode(error, 'ENOENT')).to.equal(false);
    expect(hasCode(new Error('EEXIST'), 'EEXIST')).to.equal(false);
  });
});

describe('errnoName', () => {
  it('prefers the names that netlink documents', () => {
    expect([95, 11, 97, 3].map(errnoName)).to.deep.equal(['EOPNOTSUPP', 'EAGAIN', 'EAFNOSUPPORT', 'ESRCH']);
  });

  it('has a name for an unknown number', () => {
    expect(errnoName(999)).to.equal('E999');
  });
});
