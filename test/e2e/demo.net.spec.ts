import { describeDemo } from './demo.js';

describeDemo('nftables');
