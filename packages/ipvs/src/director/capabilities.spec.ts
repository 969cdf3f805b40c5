import { expect } from 'chai';
import { checkCapabilities, directorWork, speakerWork } from './capabilities.js';

const status = (effective: string) => `Name:\tnode\nCapPrm:\t000001ffffffffff\nCapEff:\t${effective}\nCapBnd:\t0\n`;

describe('capabilities for a director', () => {
  it('are enough when both are there', () => {
    expect(() => checkCapabilities(directorWork, status('000001ffffffffff'))).to.not.throw();
    expect(() => checkCapabilities(directorWork, status('0000000000201000'))).to.not.throw();
  });

  it('are named when they are missing', () => {
    const of = (effective: string) => () => checkCapabilities(directorWork, status(effective));
    expect(of('0000000000000000'))
      .to.throw(/CAP_NET_ADMIN .* and CAP_SYS_ADMIN/)
      .with.property('code', 'FL_PRIVILEGES');
    expect(of('0000000000001000'))
      .to.throw(/lacks CAP_SYS_ADMIN/)
      .and.not.match(/NET_ADMIN/);
  });

  it('are more for a speaker', () => {
    expect(() => checkCapabilities(speakerWork, status('0000000000201000'))).to.throw(
      /lacks CAP_NET_RAW \(to answer ARP/,
    );
    expect(() => checkCapabilities(speakerWork, status('0000000000203000'))).to.not.throw();
  });
});
