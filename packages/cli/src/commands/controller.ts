/** `fairlead controller` */

import { hostname } from 'node:os';
import { type Controller, ControllerMetrics, startController } from '@fairlead/controller';
import { KubeClient, resolveConfig } from '@fairlead/kube';
import type { Command } from 'commander';
import { createLogger } from '../logging.js';
import type { ListenAddress } from '../metrics/listen-address.js';
import { runDaemon } from './daemon.js';
import { startMetrics } from './metrics.js';
import {
  type CommonOptions,
  leaseDurationOption,
  parseCidrs,
  withCommonOptions,
  withMetricsAddress,
} from './options.js';

interface ControllerOptions extends CommonOptions {
  metricsAddress: ListenAddress | undefined;
  identity: string;
  defaultClass?: boolean;
  leaseDuration: number;
  podCidr?: string[];
  serviceCidr?: string[];
}

export function controllerCommand(parent: Command): void {
  withMetricsAddress(withCommonOptions(parent.command('controller')), ':7481')
    .description('allocate addresses from AddressPools to Services of type LoadBalancer')
    .option(
      '--identity <name>',
      'name under which this process holds the leader Lease',
      process.env.POD_NAME ?? hostname(),
    )
    .option('--default-class', 'serve Services without a loadBalancerClass too')
    .addOption(leaseDurationOption('how long a silent leader is waited for', '15s'))
    .option('--pod-cidr <cidr>', 'a Pod network that Nodes do not tell of; repeatable', parseCidrs)
    .option('--service-cidr <cidr>', 'a Service network, for Kubernetes before 1.33; repeatable', parseCidrs)
    .action((options: ControllerOptions) => {
      const log = createLogger('controller', options.logLevel);
      return runDaemon(log, async () => {
        const kube = new KubeClient({ ...(await resolveConfig(options)), userAgent: 'fairlead-controller' });
        const metrics = new ControllerMetrics();
        let controller: Controller | undefined;
        const server = startMetrics(options.metricsAddress, {
          log,
          registry: metrics.registry,
          documents: { '/metrics': () => metrics.scrape() },
          // A standby is ready: it is what it should be.
          notReady: () => (controller ? undefined : 'starting'),
        });
        controller = await startController({
          kube,
          log,
          metrics,
          identity: options.identity,
          defaultClass: options.defaultClass ?? false,
          podCidrs: options.podCidr ?? [],
          serviceCidrs: options.serviceCidr ?? [],
          lease: { leaseDurationMs: options.leaseDuration },
        });
        return {
          stop: async () => {
            await controller.stop();
            await kube.close();
            server?.close();
          },
        };
      });
    });
}
