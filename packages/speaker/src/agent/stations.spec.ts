import { KubeError, type KubeObject } from '@fairlead/kube';
import { expect } from 'chai';
import { FORGET_AFTER_MS, Stations } from './stations.js';

describe('reports of stations on the LAN', () => {
  let stored: (KubeObject & { data?: Record<string, string> }) | undefined;
  let writes: number;
  let now: number;
  let stations: Stations;

  beforeEach(() => {
    stored = undefined;
    writes = 0;
    now = 0;
    const write = async (_: unknown, object: unknown) => {
      writes++;
      stored = object as KubeObject;
      return stored as never;
    };
    stations = new Stations({
      client: {
        get: async () => {
          if (!stored) throw new KubeError({ code: 'FL_KUBE_NOT_FOUND', status: 404, message: 'no such ConfigMap' });
          return stored as never;
        },
        create: write,
        update: write,
      },
      namespace: 'fairlead-system',
      node: 'n1',
      onError: (error) => {
        throw error;
      },
      clock: () => now,
    });
  });
  afterEach(() => stations.stop());

  const hear = (address: string, mac: string) => stations.heard({ address, mac, uplink: 'eth0' });

  it('name each address and who has it, in a ConfigMap of the node', async () => {
    hear('10.77.0.200', '02:00:00:00:00:0b');
    hear('fd00:77::c8', '02:00:00:00:00:0c');
    await stations.idle();
    expect(stored?.metadata).to.deep.include({ name: 'fairlead-stations-n1', namespace: 'fairlead-system' });
    expect(stored?.data).to.deep.equal({
      '10.77.0.200': '10.77.0.200 02:00:00:00:00:0b',
      'fd00-77--c8': 'fd00:77::c8 02:00:00:00:00:0c',
    });
  });

  it('are written when there is news only', async () => {
    for (let n = 0; n < 3; n++) {
      hear('10.77.0.200', '02:00:00:00:00:0b');
      await stations.idle();
    }
    expect(writes).to.equal(1);
    hear('10.77.0.200', '02:00:00:00:00:0d');
    await stations.idle();
    expect(writes).to.equal(2);
  });

  it('end when a station was not heard of for ten minutes', async () => {
    hear('10.77.0.200', '02:00:00:00:00:0b');
    await stations.idle();
    now = FORGET_AFTER_MS - 1;
    stations.forget();
    await stations.idle();
    expect(Object.keys(stored?.data ?? {})).to.have.length(1);
    expect([...stations.known]).to.have.length(1);
    now = FORGET_AFTER_MS;
    stations.forget();
    await stations.idle();
    expect(stored?.data).to.deep.equal({});
    expect([...stations.known]).to.deep.equal([]);
  });
});
