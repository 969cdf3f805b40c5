import { KubeError, type KubeObject, services } from '@fairlead/kube';
import { expect } from 'chai';
import type { PlannedPatch } from '../services/service-plan.js';
import { FreshCache } from './fresh-cache.js';
import { Writer } from './writer.js';

type Step = KubeObject | KubeError;

function version(resourceVersion: string, more: object = {}): KubeObject {
  return { kind: 'Service', metadata: { namespace: 'default', name: 'a', uid: 'u1', resourceVersion, ...more } };
}

function refusal(code: 'FL_KUBE_CONFLICT' | 'FL_KUBE_NOT_FOUND' | 'FL_KUBE_SERVER'): KubeError {
  return new KubeError({ code, message: code });
}

/** A writer whose server answers with these, in this order. */
function setUp(answers: Step[], reads: Step[] = [], leadershipMs = () => 10_000) {
  const calls: string[] = [];
  const emitted: string[] = [];
  const timeouts: (number | undefined)[] = [];
  const reply = (queue: Step[]) => {
    const next = queue.shift();
    if (next === undefined) throw new Error('the server has no answer left');
    return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
  };
  const kube = {
    get: () => {
      calls.push('get');
      return reply(reads);
    },
    patch: (_resource: unknown, _key: unknown, body: { from: string }, options: { timeoutMs?: number }) => {
      calls.push(`patch ${body.from}`);
      timeouts.push(options.timeoutMs);
      return reply(answers);
    },
  };
  let object = version('1');
  const informer = {
    get: () => object,
    list: () => [object],
    on: () => informer,
    take: (newer: KubeObject) => {
      object = newer;
    },
  };
  const cache = new FreshCache<KubeObject>(informer as never);
  const writer = new Writer({
    kube: kube as never,
    leadershipMs,
    emit: (object, event) => emitted.push(`${event.reason} ${object.metadata?.resourceVersion}`),
  });
  /** Wants to write until the object has version `until`. */
  const run = (until: string) =>
    writer.settle(services, cache, 'default/a', planUntil(until), new AbortController().signal);
  return { calls, emitted, timeouts, run };
}

function planUntil(until: string) {
  return ({ metadata }: KubeObject): PlannedPatch | undefined =>
    metadata?.resourceVersion === until
      ? undefined
      : {
          subresource: 'status',
          body: { from: metadata?.resourceVersion },
          events: [{ type: 'Normal', reason: 'Wrote', message: '' }],
        };
}

async function rejection(promise: Promise<void>): Promise<Error & { code?: string }> {
  return promise.then(
    () => expect.fail('resolved'),
    (error) => error,
  );
}

describe('Writer', () => {
  it('writes until the plan is content, each time with the answer before, and tells Events after the write', async () => {
    const { calls, emitted, run } = setUp([version('2'), version('3')]);
    await run('3');
    expect(calls).to.deep.equal(['patch 1', 'patch 2']);
    expect(emitted).to.deep.equal(['Wrote 2', 'Wrote 3']);
  });

  it('reads again after 409 and plans with what it read, without an Event for the refused write', async () => {
    const { calls, emitted, run } = setUp([refusal('FL_KUBE_CONFLICT'), version('6')], [version('5')]);
    await run('6');
    expect(calls).to.deep.equal(['patch 1', 'get', 'patch 5']);
    expect(emitted).to.deep.equal(['Wrote 6']);
  });

  it('writes nothing when what it read after 409 is as wanted', async () => {
    const { calls, run } = setUp([refusal('FL_KUBE_CONFLICT')], [version('5')]);
    await run('5');
    expect(calls).to.deep.equal(['patch 1', 'get']);
  });

  it('is done when the object is gone', async () => {
    await setUp([refusal('FL_KUBE_NOT_FOUND')]).run('9');
    await setUp([refusal('FL_KUBE_CONFLICT')], [refusal('FL_KUBE_NOT_FOUND')]).run('9');
    const last = version('2', { deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: [] });
    const { calls, run } = setUp([last]);
    await run('9');
    expect(calls).to.deep.equal(['patch 1']);
  });

  it('leaves other failures to the queue', async () => {
    const error = await rejection(setUp([refusal('FL_KUBE_SERVER')]).run('9'));
    expect(error.code).to.equal('FL_KUBE_SERVER');
  });

  it('does not write when leadership has run out, and no write may outlast it', async () => {
    let left = 700;
    const { calls, timeouts, run } = setUp([version('2')], [], () => left);
    await run('2');
    expect(timeouts).to.deep.equal([700]);
    left = 0;
    const late = setUp([version('2')], [], () => left);
    expect((await rejection(late.run('2'))).code).to.equal('FL_NOT_LEADER');
    expect([calls, late.calls]).to.deep.equal([['patch 1'], []]);
  });

  it('gives up against a writer of the opposite, and says so', async () => {
    const answers = [...Array(6).keys()].map((n) => version(String(n + 2)));
    const error = await rejection(setUp(answers).run('99'));
    expect(error).to.include({ code: 'FL_CONTENTION' });
    expect(error.message).to.match(/Service "default\/a" .* look for another controller/);
  });
});
