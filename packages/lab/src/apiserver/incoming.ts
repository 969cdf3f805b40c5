/** What comes in, before any verb acts on it: is it what the path says, and does its writer know the newest version? */
import { badRequest, conflict, invalid, MODIFIED } from './errors.js';
import { apiVersionOf, type ResourceType } from './resources.js';
import type { UnknownFields } from './strategy.js';
import { isObject, type KubeObject } from './types.js';

const IGNORE: UnknownFields = { add() {}, done() {} };

/**
 * Reads a body, or a patched object, as the type that is written to, in the version that is stored.
 * @throws ApiError 400 for another type, a value of the wrong type, or an unknown field that the writer does not want to pass.
 */
export function decodeObject(type: ResourceType, body: unknown, unknown: UnknownFields = IGNORE): KubeObject {
  if (!isObject(body)) throw badRequest('the body of the request must be one object');
  const expected = apiVersionOf(type);
  const object = { ...body } as KubeObject;
  object.apiVersion ||= expected;
  object.kind ||= type.kind;
  if (object.apiVersion !== expected) {
    throw badRequest(
      `the API version in the data (${object.apiVersion}) does not match the expected API version (${expected})`,
    );
  }
  if (object.kind !== type.kind) {
    throw badRequest(
      `${object.kind} in version "${expected}" cannot be handled as a ${type.kind}: converting (${expected}, Kind=${object.kind}) to (${expected}, Kind=${type.kind}): unknown conversion`,
    );
  }
  object.metadata = isObject(object.metadata) ? ({ ...object.metadata } as KubeObject['metadata']) : { name: '' };
  delete object.metadata.managedFields;
  const decoded = type.strategy.decode?.(object, unknown) ?? object;
  unknown.done(type.custom);
  return type.conversion ? type.conversion.toStorage(decoded) : decoded;
}

/**
 * Is `next` meant for the object that is there? Sets the name that a writer may leave out.
 * @throws ApiError 400 for another name, 409 for another object of that name or an old version, 422 for a missing version.
 */
export function checkIdentity(type: ResourceType, next: KubeObject, previous: KubeObject): void {
  const { name, namespace, uid, resourceVersion } = next.metadata;
  if (name && name !== previous.metadata.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${previous.metadata.name})`);
  }
  if (type.namespaced && namespace && namespace !== previous.metadata.namespace) {
    throw badRequest(
      `the namespace of the object (${namespace}) does not match the namespace on the request (${previous.metadata.namespace})`,
    );
  }
  next.metadata.name = previous.metadata.name;
  if (uid && uid !== previous.metadata.uid) {
    throw conflict(
      type,
      previous.metadata.name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${previous.metadata.uid}`,
    );
  }
  if (resourceVersion) {
    if (resourceVersion !== previous.metadata.resourceVersion) throw conflict(type, previous.metadata.name, MODIFIED);
  } else if (!type.strategy.unconditionalUpdate) {
    throw invalid(type, previous.metadata.name, [
      {
        reason: 'FieldValueInvalid',
        field: 'metadata.resourceVersion',
        message: 'Invalid value: 0x0: must be specified for an update',
      },
    ]);
  }
}
