import { createForwarder } from '@fairlead/ipvs';
import { pathMtuCompliance } from './path-mtu.js';

describe('a path with a smaller MTU, with nftables', function () {
  this.timeout(60_000);
  pathMtuCompliance('nftables', (director) => createForwarder({ kind: 'nftables', director }));
});
