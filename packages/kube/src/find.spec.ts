import { expect } from 'chai';
import { KubeError } from './error.js';
import { find, upsert } from './find.js';
import type { KubeObject } from './objects.js';
import { configMaps } from './resources.js';

const key = { namespace: 'default', name: 'a' };

function setUp(stored?: KubeObject, failure?: KubeError) {
  const writes: string[] = [];
  const write = (verb: string) => async (_: unknown, object: unknown) => {
    writes.push(`${verb} ${(object as KubeObject).metadata?.name}`);
    return object as never;
  };
  const client = {
    get: async () => {
      if (failure) throw failure;
      if (!stored) throw new KubeError({ code: 'FL_KUBE_NOT_FOUND', status: 404, message: 'not found' });
      return stored as never;
    },
    create: write('create'),
    update: write('update'),
  };
  return { client, writes };
}

const there: KubeObject = { metadata: { name: 'a', resourceVersion: '7' } };

describe('an object that may not be there', () => {
  it('is found, or undefined', async () => {
    expect(await find(setUp(there).client, configMaps, key)).to.equal(there);
    expect(await find(setUp().client, configMaps, key)).to.equal(undefined);
  });

  it('is not taken for missing when nobody could be asked', async () => {
    const failure = new KubeError({ code: 'FL_KUBE_NETWORK', message: 'no answer' });
    const { client, writes } = setUp(undefined, failure);
    const errors = [find(client, configMaps, key), upsert(client, configMaps, key, () => there)];
    for (const attempt of errors) expect(await attempt.catch((error) => error)).to.equal(failure);
    expect(writes).to.deep.equal([]);
  });

  it('is created when it is missing, updated when it is there, and left alone when it is right', async () => {
    const missing = setUp();
    await upsert(missing.client, configMaps, key, () => there);
    expect(missing.writes).to.deep.equal(['create a']);
    const present = setUp(there);
    await upsert(present.client, configMaps, key, (found) => ({ ...found }));
    expect(present.writes).to.deep.equal(['update a']);
    await upsert(present.client, configMaps, key, () => undefined);
    expect(present.writes).to.have.length(1);
  });
});
