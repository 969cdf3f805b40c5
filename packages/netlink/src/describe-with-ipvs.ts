/** describe() for tests that need IPVS in the running kernel. It is mocha's, and looked for only when it is called. */
import { hasCode } from './errors.js';
import { Ipvs } from './ipvs/ipvs.js';

/** Without IPVS they are skipped, and the title says why; with FAIRLEAD_REQUIRE_IPVS set they fail instead. */
export function describeWithIpvs(title: string, body: (this: Mocha.Suite) => void): void {
  const reason = whyNoIpvs();
  if (reason === undefined) {
    describe(title, body);
  } else if (process.env.FAIRLEAD_REQUIRE_IPVS) {
    it(`${title}: FAIRLEAD_REQUIRE_IPVS is set`, () => {
      throw new Error(reason);
    });
  } else {
    describe.skip(`${title} [skipped: ${reason}]`, body);
  }
}

function whyNoIpvs(): string | undefined {
  try {
    new Ipvs().close();
    return undefined;
  } catch (error) {
    if (hasCode(error, 'FL_NO_IPVS')) return error.message;
    throw error;
  }
}
