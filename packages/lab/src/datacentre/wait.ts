/** Waiting for the API to show something, by watching it. */
import { Informer, type KubeApi, type KubeObject, keyOf, type ObjectKey, type Resource } from '@fairlead/kube';
import { LabError } from './lab-error.js';

/**
 * Resolves with the object as soon as `holds` is true for it (undefined: it does not exist).
 * @throws LabError FL_LAB_TIMEOUT with what was seen last
 */
export async function untilObject<T extends KubeObject>(
  client: Pick<KubeApi, 'list' | 'watch'>,
  resource: Resource,
  key: ObjectKey,
  holds: (object: T | undefined) => boolean,
  timeoutMs = 60_000,
): Promise<T | undefined> {
  const wanted = keyOf({ metadata: key });
  const scope = { fieldSelector: `metadata.name=${key.name}`, ...(key.namespace ? { namespace: key.namespace } : {}) };
  const informer = new Informer<T>({ client, resource, ...scope });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<T | undefined>((resolve, reject) => {
      const look = () => {
        const object = informer.get(wanted);
        if (holds(object)) resolve(object);
      };
      informer.on('add', look).on('update', look).on('delete', look).on('relisted', look).on('error', reject);
      timer = setTimeout(() => {
        const seen = JSON.stringify(informer.get(wanted) ?? 'nothing');
        const message = `${resource.kind} ${wanted} was not as expected after ${timeoutMs / 1000} s; there is ${seen}`;
        reject(new LabError('FL_LAB_TIMEOUT', message));
      }, timeoutMs);
      informer.start();
    });
  } finally {
    clearTimeout(timer);
    await informer.stop();
  }
}
