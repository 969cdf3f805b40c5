import { expect } from 'chai';
import { ensureCommands } from './packages.mjs';

describe('Debian packages that are missing', () => {
  const usual = process.env.FAIRLEAD_NO_INSTALL;
  before(() => {
    process.env.FAIRLEAD_NO_INSTALL = '1';
  });
  after(() => {
    if (usual === undefined) delete process.env.FAIRLEAD_NO_INSTALL;
    else process.env.FAIRLEAD_NO_INSTALL = usual;
  });

  it('are named in one line, with the command that installs them', async () => {
    const commands = ['sh', 'fairlead-missing-a', '/usr/include/fairlead-missing.h'];
    const { code, message } = await ensureCommands(commands, 'to test').catch((error) => error);
    expect(code).to.equal('FL_MISSING_PACKAGES');
    expect(message).to.match(/^Missing to test: fairlead-missing-a, \S+ \(FAIRLEAD_NO_INSTALL is set\)\./);
    expect(message)
      .to.match(/sudo apt-get install .* fairlead-missing-a \S+$/)
      .and.not.include('\n');
  });

  it('are not asked for where everything is there', async () => {
    await ensureCommands(['sh', '/bin'], 'to test');
  });
});
