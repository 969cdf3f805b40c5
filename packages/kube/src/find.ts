/** Objects that may not be there. */
import type { CallOptions, KubeApi } from './client.js';
import { isKubeError } from './error.js';
import type { KubeObject, ObjectKey } from './objects.js';
import type { Resource } from './resources.js';

/** The object, or undefined when there is none of that name. Rejects as `get` does for any other reason. */
export async function find<T extends KubeObject>(
  client: Pick<KubeApi, 'get'>,
  resource: Resource,
  key: ObjectKey,
  options: CallOptions = {},
): Promise<T | undefined> {
  try {
    return await client.get<T>(resource, key, options);
  } catch (error) {
    if (isKubeError(error, 'FL_KUBE_NOT_FOUND')) return undefined;
    throw error;
  }
}

/**
 * Makes an object what it should be, whether or not it is there. `make` is given what is there and tells what should be, with
 * what is there taken over as far as it is others' (resourceVersion included, so that nobody's change is overwritten: FL_KUBE_CONFLICT,
 * FL_KUBE_ALREADY_EXISTS); undefined: it is right as it is.
 */
export async function upsert<T extends KubeObject>(
  client: Pick<KubeApi, 'get' | 'create' | 'update'>,
  resource: Resource,
  key: ObjectKey,
  make: (found: T | undefined) => T | undefined,
  options: CallOptions = {},
): Promise<void> {
  const found = await find<T>(client, resource, key, options);
  const object = make(found);
  if (object === undefined) return;
  if (found === undefined) await client.create(resource, object, options);
  else await client.update(resource, object, options);
}
