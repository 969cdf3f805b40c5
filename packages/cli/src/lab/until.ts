/** Waiting for the cluster to say something, by watching it. */

import type { Informer, KubeObject } from '@fairlead/kube';

/**
 * The first value other than undefined that `look` finds in an object of the informer: in those that are there already, then in every
 * change. Rejects after `timeoutMs` with an error that says what was waited for and what was there instead.
 */
export async function until<T extends KubeObject, R>(
  informer: Informer<T>,
  what: string,
  look: (object: T) => R | undefined,
  timeoutMs = 180_000,
): Promise<R> {
  let timer: NodeJS.Timeout | undefined;
  let listener: (object: T) => void = () => {};
  try {
    return await new Promise<R>((resolve, reject) => {
      listener = (object) => {
        const found = look(object);
        if (found !== undefined) resolve(found);
      };
      informer.on('add', listener);
      informer.on('update', listener);
      timer = setTimeout(() => {
        const seen = informer.list().map(({ metadata: _, ...rest }) => JSON.stringify(rest));
        reject(
          new Error(`${what} did not happen within ${timeoutMs / 1000} s; there is ${seen.join(', ') || 'nothing'}`),
        );
      }, timeoutMs);
      // Whoever has given up since, such as a test that failed, is not kept from ending.
      timer.unref();
      for (const object of informer.list()) listener(object);
    });
  } finally {
    clearTimeout(timer);
    informer.off('add', listener);
    informer.off('update', listener);
  }
}
