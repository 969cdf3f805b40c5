import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KubeObject } from '@fairlead/kube';
import { expect } from 'chai';
import { readSnapshot, Snapshot, snapshotFile } from './snapshot.js';

describe('the snapshot of a speaker', () => {
  let folder: string;
  let log: string[];
  let services: KubeObject[];

  beforeEach(async () => {
    folder = join(await mkdtemp(join(tmpdir(), 'fl-snapshot-')), 'state');
    log = [];
    services = [{ metadata: { name: 'web', namespace: 'default', resourceVersion: '7' } }];
  });
  afterEach(() => rm(join(folder, '..'), { recursive: true }));

  function make(delayMs = 0): Snapshot {
    const note = (_: object, text: string) => void log.push(text);
    return new Snapshot({
      folder,
      delayMs,
      contents: () => ({ services }),
      log: { info: note, warn: note } as never,
    });
  }
  const read = () => readSnapshot(folder, (why) => log.push(why));

  it('gives back what was there at the last change', async () => {
    const snapshot = make(60_000);
    snapshot.changed();
    services = [...services, { metadata: { name: 'api' } }];
    await snapshot.stop();
    expect((await read())?.contents).to.deep.equal({ services });
    expect(log).to.deep.equal([]);
  });

  it('is not written when nothing changed', async () => {
    await make().stop();
    expect(await read()).to.equal(undefined);
    expect(log).to.deep.equal([]);
  });

  it('is readable by its owner alone', async () => {
    const snapshot = make(60_000);
    snapshot.changed();
    await snapshot.stop();
    const { mode } = await import('node:fs/promises').then(({ stat }) => stat(snapshotFile(folder)));
    expect(mode & 0o777).to.equal(0o600);
  });

  for (const [what, text] of [
    ['cut off', '{"version":1,"contents":{"serv'],
    ['of another version', '{"version":99,"contents":{}}'],
    ['without contents', '{"version":1}'],
    ['of other contents', '{"version":1,"contents":{"services":7}}'],
    ['of nothing', '{"version":1,"contents":{"services":[null]}}'],
    ['of objects without a name', '{"version":1,"contents":{"services":[{"metadata":{}}]}}'],
  ] as const) {
    it(`is as good as none when it is ${what}, and says so`, async () => {
      await mkdir(folder, { recursive: true });
      await writeFile(snapshotFile(folder), text);
      expect(await read()).to.equal(undefined);
      expect(log[0]).to.match(/snapshot\.json is not used: /);
    });
  }

  it('that cannot be written costs one line, and another when it can again', async () => {
    await writeFile(folder, 'a file where the folder should be');
    const snapshot = make(60_000);
    for (let n = 0; n < 2; n++) {
      snapshot.changed();
      await snapshot.stop();
    }
    expect(log).to.have.length(1);
    expect(log[0]).to.match(/could not be written/);
    await rm(folder);
    snapshot.changed();
    await snapshot.stop();
    expect(log[1]).to.equal('the snapshot can be written again');
    expect(JSON.parse(await readFile(snapshotFile(folder), 'utf8'))).to.deep.include({ version: 1 });
  });
});
