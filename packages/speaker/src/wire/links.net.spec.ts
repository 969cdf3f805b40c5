import { describeLinks, kinds } from './links.spec.helpers.js';

describeLinks([kinds.card, kinds.bridge, kinds.macvlan]);
