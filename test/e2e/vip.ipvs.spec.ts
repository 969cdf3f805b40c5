import { describeVip } from './vip.js';

describeVip('ipvs');
