import { describeDemo } from './demo.js';

describeDemo('ipvs');
