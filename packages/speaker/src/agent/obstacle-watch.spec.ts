import type { Obstacle } from '@fairlead/ipvs';
import { expect } from 'chai';
import { ObstacleWatch } from './obstacle-watch.js';

const input = { uplinks: ['eth0'], families: ['ipv4'], virtualRouters: [3] } as const;
const firewall: Obstacle = { code: 'FL_HOST_FIREWALL', message: 'the firewall drops it' };
const routes: Obstacle = { code: 'FL_FOREIGN_ROUTES', message: 'routing table 7703' };

describe('watch for obstacles', () => {
  let there: Obstacle[] | Error;
  let looks: number;
  let told: string[];
  let watch: ObstacleWatch;
  beforeEach(() => {
    there = [];
    looks = 0;
    told = [];
    const note = (level: string) => (fields: unknown, message?: string) =>
      void told.push(`${level}: ${message ?? String(fields)}`);
    watch = new ObstacleWatch({
      find: () => {
        looks++;
        if (there instanceof Error) throw there;
        return there;
      },
      log: { error: note('error'), warn: note('warn'), info: note('info') } as never,
      event: (type, reason, message) => void told.push(`${type} ${reason}: ${message}`),
    });
  });

  it('looks now and then, and whenever it is asked about something else', () => {
    for (const now of [0, 1_000, 24_999]) watch.look(input, now);
    expect(looks).to.equal(1);
    watch.look(input, 25_000);
    expect(looks).to.equal(2);
    watch.look({ ...input, uplinks: ['bond0'] }, 25_001);
    expect(looks).to.equal(3);
  });

  it('looks more often while there is one', () => {
    there = [firewall];
    for (const now of [0, 2_999, 3_000, 5_999, 6_000]) watch.look(input, now);
    expect(looks).to.equal(3);
  });

  it('tells of what is harmless to VIPs, and lets them be served', () => {
    there = [{ code: 'FL_BRIDGE_NETFILTER', message: 'bridged back', harmless: true }];
    expect(watch.look(input, 0)).to.equal(undefined);
    expect(told).to.deep.equal(['warn: bridged back', 'Warning HostObstacle: bridged back']);
    there = [...there, firewall];
    expect(watch.look(input, 30_000)).to.equal(firewall.message);
  });

  it('tells each once, by log and Event, and when all are gone', () => {
    expect(watch.look(input, 0)).to.equal(undefined);
    there = [firewall];
    expect(watch.look(input, 30_000)).to.equal(firewall.message);
    expect(watch.look(input, 60_000)).to.equal(firewall.message);
    there = [firewall, routes];
    watch.look(input, 90_000);
    there = [];
    expect(watch.look(input, 120_000)).to.equal(undefined);
    const gone = 'nothing on this host keeps VIP traffic from passing any more';
    expect(told).to.deep.equal([
      `error: ${firewall.message}`,
      `Warning HostObstacle: ${firewall.message}`,
      `error: ${routes.message}`,
      `Warning HostObstacle: ${routes.message}`,
      `info: ${gone}`,
      `Normal HostObstacleGone: ${gone}`,
    ]);
  });

  it('keeps what it knew when it cannot look, and says so once', () => {
    there = [firewall];
    watch.look(input, 0);
    there = new Error('no nft');
    expect(watch.look(input, 30_000)).to.equal(firewall.message);
    expect(watch.look(input, 60_000)).to.equal(firewall.message);
    expect(told.filter((line) => line.startsWith('warn'))).to.have.length(1);
  });
});
