import { readFile, writeFile } from 'node:fs/promises';
import { ControllerMetrics } from '@fairlead/controller';
import { SpeakerMetrics, virtualServerRegistry } from '@fairlead/speaker';
import { expect } from 'chai';
import { metricsPage } from './documentation.js';

const page = new URL('../../../../docs/metrics.md', import.meta.url);

describe('docs/metrics.md', () => {
  it('says what the code says (FAIRLEAD_WRITE_DOCS=1 writes it anew)', async () => {
    if (process.env.FAIRLEAD_WRITE_DOCS) await writeFile(page, await metricsPage());
    expect(await readFile(page, 'utf8')).to.equal(await metricsPage());
  });

  const registries = {
    speaker: [new SpeakerMetrics().registry, virtualServerRegistry([])],
    controller: [new ControllerMetrics().registry],
  };
  for (const [daemon, list] of Object.entries(registries)) {
    it(`names metrics of the ${daemon} as Prometheus wants them`, async () => {
      for (const registry of list) {
        for (const { name, type, help } of await registry.getMetricsAsJSON()) {
          expect(name).to.match(new RegExp(`^fairlead_${daemon}_[a-z_]+$`));
          expect(name.endsWith('_total'), name).to.equal(String(type) === 'counter');
          expect(help, name).to.match(/\.$/);
        }
      }
    });
  }
});
