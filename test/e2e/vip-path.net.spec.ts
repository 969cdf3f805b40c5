import { describePath } from './vip-path.js';

describePath('nftables');
