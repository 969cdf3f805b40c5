import { describeVip } from './vip.js';

describeVip('nftables');
