import { describeLongPath } from './path.js';

describe('a long way through the nftables forwarder', function () {
  this.timeout(60_000);
  describeLongPath('nftables');
});
