import { expect } from 'chai';
import { ControllerMetrics, type ControllerView } from './metrics.js';

const usage = { capacity: 16n, inUse: 3, draining: 1, coolingDown: 0, withheld: 2n, free: 11n };
const idle: ControllerView = { leader: false, pools: [], waiting: 0, queued: { service: 0, pool: 0 } };

describe('metrics of a controller', () => {
  it('show the pools of a leader, and none any more when it leads no longer', async () => {
    const metrics = new ControllerMetrics();
    let now: ControllerView = { ...idle, leader: true, waiting: 2, pools: [{ pool: 'public', family: 'ipv4', usage }] };
    metrics.observe(() => now);
    expect((await metrics.scrape()).split('\n')).to.include.members([
      'fairlead_controller_leader 1',
      'fairlead_controller_services_waiting 2',
      'fairlead_controller_pool_capacity_addresses{pool="public",family="ipv4"} 16',
      'fairlead_controller_pool_addresses{pool="public",family="ipv4",state="in_use"} 3',
      'fairlead_controller_pool_addresses{pool="public",family="ipv4",state="free"} 11',
    ]);
    now = idle;
    const text = await metrics.scrape();
    expect(text).to.contain('fairlead_controller_leader 0').and.not.contain('public');
  });
});
