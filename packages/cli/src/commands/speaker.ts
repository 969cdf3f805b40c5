/** `fairlead speaker` */

import { join } from 'node:path';
import { DEFAULT_SCHEDULER, parseScheduler } from '@fairlead/ipvs';
import { type Speaker, SpeakerMetrics, type SpeakerOptions, startSpeaker, virtualServersPage } from '@fairlead/speaker';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { createLogger } from '../logging.js';
import type { ListenAddress } from '../metrics/listen-address.js';
import { runDaemon } from './daemon.js';
import { withDirectorOption } from './director-option.js';
import { startMetrics } from './metrics.js';
import {
  type CommonOptions,
  defaultNodeName,
  durationOption,
  leaseDurationOption,
  parseCount,
  parseDuration,
  parseNodeName,
  parseShare,
  withCommonOptions,
  withMetricsAddress,
} from './options.js';

interface Options extends CommonOptions {
  metricsAddress: ListenAddress | undefined;
  nodeName: string;
  director: string;
  forwarder: SpeakerOptions['forwarder'];
  scheduler: string;
  uplink?: string;
  leaseDuration: number;
  renewPeriod: number;
  retryPeriod: number;
  stateDir: string;
  preemptDelay: number;
  vrrpInterval: number;
  vrrpMode: 'unicast' | 'multicast';
  probeInterval: number;
  probeTimeout: number;
  probeFall: number;
  probeRise: number;
  kubeProxyPort: number;
  panicThreshold: number;
}

/** More in a row than this is a mistake: nothing would ever be decided. */
const MAX_IN_A_ROW = 100;

/** The field of the advertisement counts centiseconds, up to 4095 of them (RFC 9568 §5.2.7). */
function parseVrrpInterval(text: string): number {
  const interval = parseDuration(text);
  if (interval % 10 === 0 && interval <= 40_950) return interval;
  throw new InvalidArgumentError('hundredths of a second, from 10ms to 40.95s, are expected.');
}

/**
 * What @fairlead/lease-lock would refuse when the first virtual router is elected. Nothing is to be begun with that.
 * @returns what is wrong
 */
function wrongTimings({ leaseDuration, renewPeriod, retryPeriod }: Options): string | undefined {
  const termMs = leaseDuration * 0.9;
  if (renewPeriod + retryPeriod < termMs) return undefined;
  return (
    `--renew-period and --retry-period are ${renewPeriod + retryPeriod} ms together, but an owner has ${termMs} ms to renew a Lease of ` +
    `--lease-duration ${leaseDuration} ms: one failed renewal would lose it, so renew more often or let the Lease last longer`
  );
}

/** As in the annotation `fairlead.dev/scheduler`. */
function checkScheduler(text: string): string {
  const parsed = parseScheduler(text);
  if ('wrong' in parsed) throw new InvalidArgumentError(`${parsed.wrong}.`);
  return text;
}

export function speakerCommand(parent: Command): void {
  withMetricsAddress(withDirectorOption(withCommonOptions(parent.command('speaker'))), ':7480')
    .description('elect an owner for each VIP, announce it, and forward its traffic (on every node)')
    .addOption(
      new Option('--node-name <name>', "this node's name in the cluster")
        .env('NODE_NAME')
        .argParser(parseNodeName)
        .default(defaultNodeName(), "the host's name"),
    )
    .addOption(
      new Option('--forwarder <kind>', 'ipvs, nftables, or auto: ipvs where the kernel has it')
        .choices(['auto', 'ipvs', 'nftables'])
        .default('auto'),
    )
    .option(
      '--scheduler <name[,flag...]>',
      'how connections are spread over real servers, where a Service does not say',
      checkScheduler,
      DEFAULT_SCHEDULER,
    )
    .option(
      '--uplink <interface>',
      "announce on this interface only (default: those with an address in a VIP's subnet)",
    )
    .option(
      '--state-dir <folder>',
      'keep here what is known of the cluster, to start without an API server ("": nowhere)',
      '/var/lib/fairlead',
    )
    .addOption(leaseDurationOption('how long a silent owner is waited for', '3s'))
    .addOption(durationOption('--renew-period <time>', 'how often an owner renews its Lease', '1s'))
    .addOption(durationOption('--retry-period <time>', 'how soon a failed renewal is tried again', '200ms'))
    .addOption(
      durationOption(
        '--preempt-delay <time>',
        'how long a better node has been fit before it takes over from a healthy owner (pools with preempt)',
        '1m',
      ),
    )
    .addOption(
      durationOption(
        '--vrrp-interval <time>',
        'how often an owner advertises (pools with election: vrrp)',
        '100ms',
      ).argParser(parseVrrpInterval),
    )
    .addOption(
      new Option('--vrrp-mode <mode>', 'advertise to the other nodes one by one, or to the multicast group')
        .choices(['unicast', 'multicast'])
        .default('unicast'),
    )
    .addOption(durationOption('--probe-interval <time>', 'how often each node is asked whether it is healthy', '1s'))
    .addOption(durationOption('--probe-timeout <time>', 'how long an answer may take', '1s'))
    .option('--probe-fall <count>', 'failures in a row that make a node unhealthy', parseCount(MAX_IN_A_ROW), 2)
    .option('--probe-rise <count>', 'answers in a row that make it healthy again', parseCount(MAX_IN_A_ROW), 2)
    .option('--kube-proxy-port <port>', "where every node's kube-proxy answers /healthz", parseCount(65_535), 10_256)
    .addOption(
      new Option('--panic-threshold <share>', 'when so many nodes look unusable, all are forwarded to')
        .argParser(parseShare)
        .default(1, '100%'),
    )
    .action((options: Options, command: Command) => {
      const wrong = wrongTimings(options);
      if (wrong !== undefined) command.error(`error: ${wrong}.`);
      const log = createLogger('speaker', options.logLevel).child({ node: options.nodeName });
      return runDaemon(log, async () => {
        const metrics = new SpeakerMetrics();
        let speaker: Speaker | undefined;
        const server = startMetrics(options.metricsAddress, {
          log,
          registry: metrics.registry,
          documents: {
            '/metrics': () => metrics.scrape(),
            '/metrics/virtual-servers': async () => virtualServersPage(speaker?.virtualServers() ?? []),
          },
          notReady: () => (speaker ? speaker.notReady() : 'starting'),
        });
        const started = await startSpeaker({
          log,
          metrics,
          node: options.nodeName,
          kube: { server: options.server, kubeconfig: options.kubeconfig },
          director: options.director,
          forwarder: options.forwarder,
          scheduler: options.scheduler,
          uplink: options.uplink,
          ...(options.stateDir && { stateFolder: join(options.stateDir, options.nodeName) }),
          timings: {
            leaseDurationMs: options.leaseDuration,
            renewPeriodMs: options.renewPeriod,
            retryPeriodMs: options.retryPeriod,
          },
          preemptDelayMs: options.preemptDelay,
          vrrp: { intervalMs: options.vrrpInterval, mode: options.vrrpMode },
          panicShare: options.panicThreshold,
          probes: {
            intervalMs: options.probeInterval,
            timeoutMs: options.probeTimeout,
            fall: options.probeFall,
            rise: options.probeRise,
            port: options.kubeProxyPort,
          },
        });
        speaker = started;
        return {
          failed: started.failed,
          stop: async () => {
            await started.stop();
            server?.close();
          },
        };
      });
    });
}
