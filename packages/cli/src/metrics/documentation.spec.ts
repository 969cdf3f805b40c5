import { readFile, writeFile } from 'node:fs/promises';
import { REAL_SERVER_METRICS } from '@fairlead/speaker';
import { expect } from 'chai';
import { controllerMetrics, metricsPage, speakerMetrics } from './documentation.js';

const page = new URL('../../../../docs/metrics.md', import.meta.url);

describe('docs/metrics.md', () => {
  it('says what the code says (FAIRLEAD_WRITE_DOCS=1 writes it anew)', async () => {
    if (process.env.FAIRLEAD_WRITE_DOCS) await writeFile(page, metricsPage());
    expect(await readFile(page, 'utf8')).to.equal(metricsPage());
  });

  for (const [daemon, metrics] of Object.entries({
    speaker: [...speakerMetrics(), ...REAL_SERVER_METRICS],
    controller: controllerMetrics(),
  })) {
    it(`names metrics of the ${daemon} as Prometheus wants them`, () => {
      for (const { name, type, help } of metrics) {
        expect(name).to.match(new RegExp(`^fairlead_${daemon}_[a-z_]+$`));
        expect(name.endsWith('_total'), name).to.equal(type === 'counter');
        expect(help, name).to.match(/\.$/);
      }
    });
  }
});
