import { expect } from 'chai';
import { KubeError } from './error.js';
import { EventRecorder, type EventRecorderOptions } from './event-recorder.js';
import type { KubeObject, ObjectKey } from './objects.js';

interface Written extends KubeObject {
  count?: number;
  message?: string;
  reason?: string;
}

const service: KubeObject = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { namespace: 'web', name: 'shop', uid: 'u1', resourceVersion: '7', labels: { big: 'object' } },
};

describe('EventRecorder', () => {
  let created: Written[];
  let patched: [ObjectKey, unknown][];
  let failures: Error[];
  let failWith: (KubeError | undefined)[];
  let now: number;

  beforeEach(() => {
    created = [];
    patched = [];
    failures = [];
    failWith = [];
    now = Date.UTC(2030, 0, 2, 3, 4, 5, 678);
  });

  function recorder(options: Partial<EventRecorderOptions> = {}): EventRecorder {
    const attempt = () => {
      const error = failWith.shift();
      if (error) throw error;
    };
    return new EventRecorder({
      client: {
        async create<T extends KubeObject>(_resource: unknown, object: T): Promise<T> {
          attempt();
          created.push(structuredClone(object));
          return object;
        },
        async patch<T extends KubeObject>(_resource: unknown, key: ObjectKey, body: unknown): Promise<T> {
          attempt();
          patched.push([key, body]);
          return {} as T;
        },
      },
      component: 'spec',
      instance: 'n1',
      minIntervalMs: 0,
      wallClock: () => now,
      onError: (error) => failures.push(error),
      ...options,
    });
  }

  /** Waits until the queue has done what is due now, timers of 0 ms included. */
  async function settled(events: EventRecorder, writes: number): Promise<void> {
    while (created.length + patched.length < writes) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      await events.flush();
    }
  }

  it('writes an Event that kubectl describe finds', async () => {
    const events = recorder({ random: () => 0.5 });
    events.event(service, 'Warning', 'NoPool', 'there is no pool');
    await events.flush();
    expect(created).to.deep.equal([
      {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { namespace: 'web', name: 'shop.800000000000' },
        involvedObject: {
          apiVersion: 'v1',
          kind: 'Service',
          namespace: 'web',
          name: 'shop',
          uid: 'u1',
          resourceVersion: '7',
        },
        type: 'Warning',
        reason: 'NoPool',
        message: 'there is no pool',
        count: 1,
        firstTimestamp: '2030-01-02T03:04:05Z',
        lastTimestamp: '2030-01-02T03:04:05Z',
        source: { component: 'spec', host: 'n1' },
        reportingComponent: 'spec',
        reportingInstance: 'n1',
      },
    ]);
  });

  it('puts Events on cluster-scoped objects into default', async () => {
    const events = recorder();
    events.event({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } }, 'Normal', 'Up', 'is up');
    await events.flush();
    expect(created[0]?.metadata?.namespace).to.equal('default');
  });

  it('counts the same thing instead of writing it again', async () => {
    const events = recorder();
    events.event(service, 'Warning', 'NoPool', 'there is no pool');
    await events.flush();
    now += 60_000;
    for (let i = 0; i < 9; i++) events.event(service, 'Warning', 'NoPool', 'there is no pool');
    await settled(events, 2);
    expect(created).to.have.length(1);
    expect(patched).to.deep.equal([
      [
        { namespace: 'web', name: created[0]!.metadata!.name },
        { count: 10, lastTimestamp: '2030-01-02T03:05:05Z' },
      ],
    ]);
  });

  it('tells different things apart', async () => {
    const events = recorder();
    events.event(service, 'Warning', 'NoPool', 'there is no pool');
    events.event(service, 'Warning', 'NoPool', 'pool "a" is full');
    events.event({ ...service, metadata: { ...service.metadata, uid: 'u2' } }, 'Warning', 'NoPool', 'there is no pool');
    await events.flush();
    expect(created).to.have.length(3);
  });

  it('makes a new Event when the API server has forgotten the old one', async () => {
    const events = recorder();
    events.event(service, 'Normal', 'Again', 'again');
    await events.flush();
    failWith = [error(404)];
    events.event(service, 'Normal', 'Again', 'again');
    await settled(events, 2);
    expect(created.map((event) => event.count)).to.deep.equal([1, 2]);
    expect(created[0]!.metadata!.name).not.to.equal(created[1]!.metadata!.name);
  });

  it('takes an Event that exists already for the one whose answer was lost', async () => {
    const events = recorder();
    failWith = [new KubeError({ code: 'FL_KUBE_ALREADY_EXISTS', status: 409, message: 'exists' })];
    events.event(service, 'Normal', 'Once', 'once');
    await events.flush();
    expect([created, failures]).to.deep.equal([[], []]);
  });

  it('gives up, and says so, when the API server refuses', async () => {
    const events = recorder();
    failWith = [error(403)];
    events.event(service, 'Normal', 'Denied', 'text');
    await events.flush();
    expect(failures.map((failure) => failure.message)).to.deep.equal([
      'Event Denied ("text") on Service "shop" was not recorded: fake 403',
    ]);
  });

  it('remembers no more than it may, and says what is lost', async () => {
    const events = recorder({ maxEvents: 2 });
    for (const reason of ['A', 'B', 'C']) events.event(service, 'Normal', reason, 'x');
    await events.flush();
    expect(created.map((event) => event.reason)).to.deep.equal(['B', 'C']);
    expect(failures).to.have.length(1);
  });

  it('cuts a text that the API server would refuse', async () => {
    const events = recorder();
    events.event(service, 'Normal', 'Long', 'x'.repeat(5_000));
    await events.flush();
    expect(created[0]?.message).to.have.length(1024);
  });

  it('only remembers what it is told while something more urgent goes on, and no more than it may', async () => {
    let free = () => {};
    const busy = new Promise<void>((resolve) => {
      free = resolve;
    });
    const events = recorder({ maxEvents: 40, yieldTo: () => busy });
    for (let n = 0; n < 100; n++) {
      events.event(service, 'Normal', 'Told', `number ${n}`);
      now += 1_000;
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
    expect(created).to.deep.equal([]);
    free();
    await settled(events, 40);
    await events.flush();
    expect(created.length + failures.length).to.equal(100);
    // When it was told counts, not when it was looked at.
    expect(created.at(-1)).to.include({ message: 'number 99', firstTimestamp: '2030-01-02T03:05:44Z' });
  });
});

function error(status: number): KubeError {
  const code = status === 404 ? 'FL_KUBE_NOT_FOUND' : 'FL_KUBE_FORBIDDEN';
  return new KubeError({ code, status, message: `fake ${status}` });
}
