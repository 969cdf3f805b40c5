import { makeNetns } from '../netns.spec.helpers.js';
import { Rtnetlink } from './rtnetlink.js';
import { RuleMonitor } from './rule-monitor.js';

describe('RuleMonitor on the running kernel', () => {
  it('tells when a rule of either family is removed, and not when one is added', async () => {
    const netns = makeNetns();
    const rtnetlink = new Rtnetlink({ netns: netns.name });
    let removed = 0;
    let wake = () => {};
    const monitor = new RuleMonitor({
      netns: netns.name,
      onRemoved: () => {
        removed++;
        wake();
      },
    });
    try {
      for (const family of ['ipv4', 'ipv6'] as const) {
        const rule = { family, priority: 7_700, table: 7_700 };
        const told = new Promise<void>((resolve) => {
          wake = resolve;
        });
        const before = removed;
        rtnetlink.addRule(rule);
        await new Promise(setImmediate);
        if (removed !== before) throw new Error('an added rule was taken for a removed one');
        rtnetlink.deleteRule(rule);
        await told;
      }
    } finally {
      monitor.close();
      rtnetlink.close();
      netns.delete();
    }
  });
});
