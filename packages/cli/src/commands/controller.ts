/** `fairlead controller` */

import { hostname } from 'node:os';
import { startController } from '@fairlead/controller';
import { KubeClient, resolveConfig } from '@fairlead/kube';
import type { Command } from 'commander';
import { createLogger } from '../logging.js';
import { runDaemon } from './daemon.js';
import { type CommonOptions, parseDuration, withCommonOptions } from './options.js';

interface ControllerOptions extends CommonOptions {
  identity: string;
  defaultClass: boolean;
  leaseDuration: number;
}

export function controllerCommand(parent: Command): void {
  withCommonOptions(parent.command('controller'))
    .description('allocate addresses from AddressPools to Services of type LoadBalancer')
    .option(
      '--identity <name>',
      'name under which this process holds the leader Lease',
      process.env.POD_NAME ?? hostname(),
    )
    .option('--default-class', 'serve Services without a loadBalancerClass too', false)
    .option('--lease-duration <time>', 'how long a silent leader is waited for', parseDuration, 15_000)
    .action((options: ControllerOptions) => {
      const log = createLogger('controller', options.logLevel);
      return runDaemon(log, async () => {
        const kube = new KubeClient(await resolveConfig(options));
        const controller = await startController({
          kube,
          log,
          identity: options.identity,
          defaultClass: options.defaultClass,
          lease: { leaseDurationMs: options.leaseDuration },
        });
        return {
          stop: async () => {
            await controller.stop();
            await kube.close();
          },
        };
      });
    });
}
