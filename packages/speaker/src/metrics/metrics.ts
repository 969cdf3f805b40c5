/**
 * The metrics of a speaker. What happens is counted when it happens; what is, is read when somebody asks (`scrape`), from what the
 * speaker has in memory and a few counters of the kernel, so that a scrape costs the same for one Service and for ten
 * thousand. Labels are bounded by the configuration (virtual routers, nodes' parts, never Services or clients) or by a number.
 */

import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { SpeakerView } from './view.js';

/** Which part of the kernel was written to. */
export type KernelPart = 'director' | 'forwarder' | 'routes';

/** One that answers for every address of a LAN is found out by its first hundred as well. */
export const MAX_CONFLICTS = 100;

export class SpeakerMetrics {
  readonly registry = new Registry();

  readonly takeovers = this.#counter(
    'takeovers_total',
    'Virtual routers that this node has become the owner of, by why: the last owner was silent (lapsed), or there was none (free).',
    ['virtual_router', 'cause'],
  );
  readonly handovers = this.#counter('handovers_total', 'Virtual routers that this node has ceased to own.', [
    'virtual_router',
  ]);
  readonly conflicts = this.#counter(
    'address_conflicts_total',
    'Other stations that announced a VIP which this node owns, as far as they were reported.',
  );
  readonly kernelOperations = this.#counter(
    'kernel_operations_total',
    'Entries written to the kernel: addresses, rules, virtual servers, real servers, routes.',
    ['part'],
  );
  readonly repairs = this.#counter(
    'drift_repaired_total',
    'Entries that somebody else had changed in the kernel, and that were put right.',
    ['part'],
  );
  readonly kernelErrors = this.#counter(
    'kernel_errors_total',
    'Attempts to bring the kernel in line that failed. They are repeated.',
  );
  readonly programming = new Histogram({
    name: 'fairlead_speaker_programming_duration_seconds',
    help: 'From the beginning of planning to the kernel having acknowledged the change.',
    buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3],
    registers: [this.registry],
  });
  readonly panics = this.#counter('panics_total', 'How often too few nodes looked usable, so that all were used.');
  readonly apiErrors = this.#counter('api_errors_total', 'Failed watches, and requests for Leases.', ['resource']);
  readonly vrrpFaults = this.#counter(
    'vrrp_faults_total',
    'VRRP packets that are wrong, by what is (length, version, type, checksum, count, interval; ttl: it has passed a router; sender: it is no node; ' +
      'addresses: for a minute, others than this node has), of each sender once a minute at most.',
    ['fault'],
  );
  readonly scrapeErrors = this.#counter('scrape_errors_total', 'Scrapes in which something could not be read.');

  readonly #conflict = this.#gauge(
    'address_conflict',
    `1 for each other station that has answered for, or announced, a VIP while this node owned it, until it was not heard of for ten minutes. ${MAX_CONFLICTS} of them at most.`,
    ['vip', 'mac', 'interface'],
  );
  readonly #forwarder = this.#gauge('forwarder', '1 for the forwarder in use.', ['kind']);
  readonly #standing = this.#gauge('standing', 'Whether this node stands for election (1) or is not fit to (0).');
  readonly #inSync = this.#gauge('kernel_in_sync', 'Whether the kernel holds what is desired.');
  readonly #panic = this.#gauge('panic', 'Whether too few nodes look usable, so that all are used (1).');
  readonly #owner = this.#gauge('virtual_router_owner', 'Whether this node answers for the virtual router (1).', [
    'virtual_router',
  ]);
  readonly #routerVips = this.#gauge('virtual_router_vips', 'VIPs of the virtual router.', ['virtual_router']);
  readonly #vips = this.#gauge('vips', 'VIPs programmed, whoever owns them.');
  readonly #virtualServers = this.#gauge('virtual_servers', 'Virtual servers desired: VIP, port and protocol.');
  readonly #realServers = this.#gauge('real_servers', 'Real servers desired, over all virtual servers.');
  readonly #draining = this.#gauge(
    'real_servers_draining',
    'Real servers that get no new connections and wait for the end of those they have.',
  );
  readonly #targets = this.#gauge(
    'probe_targets',
    'What is probed, by what for (node: its kube-proxy; service: what Services asked to be checked) and verdict.',
    ['of', 'health'],
  );
  readonly #probes = this.#counter('probes_total', 'Probes, by outcome.', ['of', 'outcome']);
  readonly #deferred = this.#counter('probes_deferred_total', 'Probes that waited for others to be answered.', ['of']);
  readonly #interval = this.#gauge(
    'probe_interval_seconds',
    'Between two probes of one target; longer than configured when there are too many targets.',
    ['of'],
  );
  readonly #firewallPackets = this.#counter(
    'firewall_packets_total',
    "Packets counted by the director's firewall, by rule.",
    ['rule'],
  );
  readonly #firewallBytes = this.#counter(
    'firewall_bytes_total',
    "Bytes counted by the director's firewall, by rule.",
    ['rule'],
  );
  readonly #conntrack = this.#gauge('conntrack_entries', 'Connections tracked in the director.');
  readonly #insertFailed = this.#counter(
    'conntrack_insert_failed_total',
    'Connections that could not be tracked in the director: for most of them, no source port of the VIP was free.',
  );
  readonly #dropped = this.#counter(
    'conntrack_drop_total',
    'Packets dropped in the director because their connection could not be tracked.',
  );

  readonly #chances = this.#counter(
    'second_chance_segments_total',
    'TCP segments of connections that a director did not know, by what became of them: passed_on to the former owner of their VIP, ' +
      'passed_to_lan for the next owner, returned for want of either; and taken_in: passed on by another node to this one.',
    ['outcome'],
  );

  #view: (() => SpeakerView) | undefined;
  #onError: (error: Error) => void = () => {};

  /** Where `scrape` reads what is now; `onError` hears of what it could not read. */
  observe(view: () => SpeakerView, onError: (error: Error) => void): void {
    this.#view = view;
    this.#onError = onError;
  }

  /** All metrics in Prometheus' text format. What cannot be read is left as it was, and counted; it never rejects for that. */
  async scrape(): Promise<string> {
    try {
      if (this.#view) this.#show(this.#view());
    } catch (error) {
      this.scrapeErrors.inc();
      this.#onError(error as Error);
    }
    return this.registry.metrics();
  }

  #show(view: SpeakerView): void {
    this.#forwarder.reset();
    if (view.forwarder !== undefined) this.#forwarder.set({ kind: view.forwarder }, 1);
    this.#standing.set(Number(view.standing));
    this.#inSync.set(Number(view.inSync));
    this.#panic.set(Number(view.panic));
    this.#owner.reset();
    this.#routerVips.reset();
    for (const { name, owner, vips } of view.virtualRouters) {
      this.#owner.set({ virtual_router: name }, Number(owner));
      this.#routerVips.set({ virtual_router: name }, vips);
    }
    this.#vips.set(view.vips);
    this.#virtualServers.set(view.virtualServers);
    this.#realServers.set(view.realServers);
    this.#draining.set(view.draining);
    for (const of of ['node', 'service'] as const) {
      const { targets, unhealthy, passed, failed, deferred, intervalMs } = view.probes[of];
      this.#targets.set({ of, health: 'unhealthy' }, unhealthy);
      this.#targets.set({ of, health: 'healthy' }, targets - unhealthy);
      total(this.#probes, passed, { of, outcome: 'passed' });
      total(this.#probes, failed, { of, outcome: 'failed' });
      total(this.#deferred, deferred, { of });
      this.#interval.set({ of }, intervalMs / 1_000);
    }
    this.#conflict.reset();
    let conflicts = 0;
    for (const { address, mac, uplink } of view.stations) {
      if (conflicts++ === MAX_CONFLICTS) break;
      this.#conflict.set({ vip: address, mac, interface: uplink }, 1);
    }
    if (view.kernel === undefined) return;
    for (const [rule, { packets, bytes }] of Object.entries(view.kernel.firewall)) {
      total(this.#firewallPackets, Number(packets), { rule });
      total(this.#firewallBytes, Number(bytes), { rule });
    }
    for (const [outcome, { packets }] of Object.entries(view.kernel.secondChance ?? {})) {
      total(this.#chances, Number(packets), { outcome });
    }
    this.#conntrack.set(view.kernel.conntrack.entries);
    total(this.#insertFailed, view.kernel.conntrack.insertFailed);
    total(this.#dropped, view.kernel.conntrack.drop);
  }

  #counter<T extends string>(name: string, help: string, labelNames: readonly T[] = []): Counter<T> {
    return new Counter({ name: `fairlead_speaker_${name}`, help, labelNames, registers: [this.registry] });
  }

  #gauge<T extends string>(name: string, help: string, labelNames: readonly T[] = []): Gauge<T> {
    return new Gauge({ name: `fairlead_speaker_${name}`, help, labelNames, registers: [this.registry] });
  }
}

/** Makes a counter show what somebody else has counted. */
function total<T extends string>(counter: Counter<T>, value: number, labels: Partial<Record<T, string>> = {}): void {
  counter.remove(labels as Partial<Record<T, string | number>>);
  counter.inc(labels as Partial<Record<T, string | number>>, value);
}
