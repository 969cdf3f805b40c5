/**
 * The cluster that the suites use when FAIRLEAD_TEST_KUBECONFIG names one: checked before anything is done to it, and
 * left as it was found. Without the variable there is none, and the suites bring their own API server.
 */
import { randomBytes } from 'node:crypto';
import {
  addressPools,
  customResourceDefinitions,
  isKubeError,
  KubeClient,
  leases,
  loadKubeconfig,
  namespaces,
  services,
} from '@fairlead/kube';
import type { LeaseObject } from '@fairlead/lease-lock';
import type { V1Service } from '@kubernetes/client-node';
import { type Creation, Front } from './front.js';

const kubeconfig = process.env.FAIRLEAD_TEST_KUBECONFIG;

/** Do the suites run against a cluster, instead of the lab's API server? */
export const isRemote = kubeconfig !== undefined && kubeconfig !== '';

/** Where the suites create what is namespaced. */
export const namespace = isRemote ? `fairlead-test-${randomBytes(4).toString('hex')}` : 'default';

/** `it` for what only the lab's API server allows; where there is a cluster, the title says why it is skipped. */
export function labOnly(why: string): (title: string, body: Mocha.AsyncFunc) => void {
  return (title, body) => {
    if (isRemote) it.skip(`${title} [lab only: ${why}]`, body);
    else it(title, body);
  };
}

/** What holds more than one spec up: it stays until all have run, since its removal takes a cluster seconds. */
const lasting: Creation[] = [];
const isLasting = ({ resource: { plural } }: Creation) =>
  plural === namespaces.plural || plural === customResourceDefinitions.plural;

const open = new Set<Front>();

/** A server for one spec; its `close` removes from the cluster what the spec created. */
export async function newFront(): Promise<Front> {
  const front = new Front(await loadKubeconfig(kubeconfig!), async (created) => {
    open.delete(front);
    lasting.push(...created.filter(isLasting));
    const passing = created.filter((each) => !isLasting(each));
    if (passing.length > 0) await withCluster((kube) => remove(kube, passing));
  });
  open.add(front);
  return front;
}

if (isRemote) {
  // Root hooks: the first one fails the whole run.
  before('the cluster is free for tests', async function () {
    this.timeout(60_000);
    await withCluster(async (kube) => {
      await refuseWhatIsInUse(kube);
      const object = await kube.create(namespaces, {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name: namespace },
      });
      lasting.push({ resource: namespaces, object });
    });
  });
  after('the cluster is as it was', async function () {
    this.timeout(120_000);
    await removeLasting();
  });
  // Whoever interrupts the run has mocha leave its hooks out.
  for (const [signal, exitCode] of [
    ['SIGHUP', 129],
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    process.once(signal, async () => {
      try {
        await Promise.all([...open].map((front) => front.close()));
        await removeLasting();
      } catch (error) {
        console.error(`Not everything that was made in the cluster of ${kubeconfig} could be removed:`, error);
      } finally {
        process.exit(exitCode);
      }
    });
  }
}

/** Whoever has installed Fairlead in the meantime needs all but the namespace of the tests. */
async function removeLasting(): Promise<void> {
  if (lasting.length === 0) return;
  await withCluster(async (kube) => {
    const isFree = (await poolNames(kube)).length === 0;
    await remove(
      kube,
      lasting.filter(({ object }) => isFree || object.metadata?.name === namespace),
    );
  });
}

async function withCluster(act: (kube: KubeClient) => Promise<void>): Promise<void> {
  const kube = new KubeClient(await loadKubeconfig(kubeconfig!));
  try {
    await act(kube);
  } finally {
    await kube.close();
  }
}

/** @throws Error when a controller, or people, use Fairlead there, or the specs would take over others' Services */
async function refuseWhatIsInUse(kube: KubeClient): Promise<void> {
  const refuse = (what: string) => {
    throw new Error(
      `FL_TEST_CLUSTER_IN_USE: ${what}. The tests need a cluster without Fairlead, such as a fresh one of kind; nothing was changed`,
    );
  };
  const pools = await poolNames(kube);
  if (pools.length > 0) refuse(`the cluster of ${kubeconfig} has AddressPools (${pools.join(', ')})`);
  const key = { namespace: 'fairlead-system', name: 'fairlead-controller' };
  const lease = await kube.get<LeaseObject>(leases, key).catch(unlessMissing);
  const holder = lease?.spec?.holderIdentity;
  if (holder) refuse(`in the cluster of ${kubeconfig} "${holder}" holds the Lease ${key.namespace}/${key.name}`);
  const { items } = await kube.list<V1Service>(services);
  const taken = items.find(
    ({ spec }) => spec?.type === 'LoadBalancer' && /^(fairlead\.dev\/.*)?$/.test(spec.loadBalancerClass ?? ''),
  );
  if (taken) {
    const { namespace: where, name } = taken.metadata!;
    refuse(`Service ${where}/${name} of the cluster of ${kubeconfig} is one that the controller would serve`);
  }
}

async function poolNames(kube: KubeClient): Promise<string[]> {
  const list = await kube.list(addressPools).catch(unlessMissing);
  return (list?.items ?? []).map(({ metadata }) => metadata!.name!);
}

/** The last first, finalizers off: nobody is there who would take them off. */
async function remove(kube: KubeClient, created: readonly Creation[]): Promise<void> {
  for (const { resource, object } of [...created].reverse()) {
    const { uid, name, namespace: where } = object.metadata!;
    const key = { name: name!, ...(where && { namespace: where }) };
    const now = await kube.get(resource, key).catch(unlessMissing);
    if (!now || now.metadata?.uid !== uid) continue;
    // A definition has one of the API server's own.
    if (now.metadata?.finalizers?.length && !isLasting({ resource, object })) {
      await kube.patch(resource, key, { metadata: { finalizers: null } }, { type: 'merge' }).catch(unlessMissing);
    }
    await kube.delete(resource, key).catch(unlessMissing);
  }
}

function unlessMissing(error: unknown): undefined {
  if (!isKubeError(error, 'FL_KUBE_NOT_FOUND')) throw error;
}
