import { expect } from 'chai';
import { MAX_CONFLICTS, SpeakerMetrics } from './metrics.js';
import type { SpeakerView } from './view.js';

const probes = { targets: 3, unhealthy: 1, passed: 40, failed: 2, deferred: 0, intervalMs: 1_000 };

function view(changes: Partial<SpeakerView> = {}): SpeakerView {
  return {
    forwarder: 'ipvs',
    standing: true,
    inSync: true,
    panic: false,
    virtualRouters: [{ name: 'public.0', owner: true, vips: 2 }],
    vips: 2,
    virtualServers: 3,
    realServers: 9,
    draining: 1,
    probes: { node: probes, service: { ...probes, targets: 0, unhealthy: 0, passed: 0, failed: 0 } },
    stations: [],
    kernel: {
      firewall: { dropped: { packets: 5n, bytes: 500n } },
      conntrack: { entries: 7, insertFailed: 1, drop: 0 },
    },
    ...changes,
  };
}

const unexpected = (error: Error) => {
  throw error;
};

describe('metrics of a speaker', () => {
  it('show what is at the moment of the scrape', async () => {
    const metrics = new SpeakerMetrics();
    let now = view();
    metrics.observe(() => now, unexpected);
    expect((await metrics.scrape()).split('\n')).to.include.members([
      'fairlead_speaker_forwarder{kind="ipvs"} 1',
      'fairlead_speaker_virtual_router_owner{virtual_router="public.0"} 1',
      'fairlead_speaker_probe_targets{of="node",health="unhealthy"} 1',
      'fairlead_speaker_probe_targets{of="node",health="healthy"} 2',
      'fairlead_speaker_probes_total{of="node",outcome="passed"} 40',
      'fairlead_speaker_firewall_packets_total{rule="dropped"} 5',
      'fairlead_speaker_conntrack_insert_failed_total 1',
      'fairlead_speaker_real_servers 9',
      'fairlead_speaker_panic 0',
    ]);
    now = view({ panic: true, probes: { node: { ...probes, passed: 41 }, service: probes } });
    expect((await metrics.scrape()).split('\n')).to.include.members([
      'fairlead_speaker_panic 1',
      'fairlead_speaker_probes_total{of="node",outcome="passed"} 41',
      'fairlead_speaker_conntrack_insert_failed_total 1',
    ]);
  });

  it('forget virtual routers that are gone, so that labels do not pile up', async () => {
    const metrics = new SpeakerMetrics();
    let now = view();
    metrics.observe(() => now, unexpected);
    await metrics.scrape();
    now = view({ virtualRouters: [{ name: 'public.1', owner: false, vips: 1 }] });
    const text = await metrics.scrape();
    expect(text).to.contain('owner{virtual_router="public.1"} 0').and.not.contain('public.0');
  });

  it('name the station that has a VIP of ours, for as long as it does', async () => {
    const metrics = new SpeakerMetrics();
    let now = view({ stations: [{ address: 'fd00:77::c8', mac: '02:00:00:00:00:0b', uplink: 'eth0' }] });
    metrics.observe(() => now, unexpected);
    const conflict = 'fairlead_speaker_address_conflict{vip="fd00:77::c8",mac="02:00:00:00:00:0b",interface="eth0"} 1';
    expect((await metrics.scrape()).split('\n')).to.include(conflict);
    now = view();
    expect(await metrics.scrape()).not.to.contain('fairlead_speaker_address_conflict{');
  });

  it('are bounded where a station answers for everything', async () => {
    const metrics = new SpeakerMetrics();
    const stations = Array.from({ length: MAX_CONFLICTS + 1 }, (_, n) => ({
      address: `10.77.1.${n}`,
      mac: '02:00:00:00:00:0b',
      uplink: 'eth0',
    }));
    metrics.observe(() => view({ stations }), unexpected);
    expect((await metrics.scrape()).match(/^fairlead_speaker_address_conflict\{/gm)).to.have.length(MAX_CONFLICTS);
  });

  it('go on when something cannot be read, and say so', async () => {
    const metrics = new SpeakerMetrics();
    metrics.takeovers.inc({ virtual_router: 'public.0', cause: 'lapsed' });
    const errors: string[] = [];
    metrics.observe(
      () => {
        throw new Error('no netlink');
      },
      ({ message }) => errors.push(message),
    );
    const text = await metrics.scrape();
    expect(errors).to.deep.equal(['no netlink']);
    expect(text).to.contain('fairlead_speaker_scrape_errors_total 1');
    expect(text).to.contain('fairlead_speaker_takeovers_total{virtual_router="public.0",cause="lapsed"} 1');
  });
});
