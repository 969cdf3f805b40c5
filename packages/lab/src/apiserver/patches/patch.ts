/** Picks the patch format by content type, as the PATCH verb of the real server does. */
import { badRequest, unsupportedMediaType } from '../errors.js';
import { parseJsonText, parseYamlText } from '../negotiate.js';
import type { ResourceType } from '../resources.js';
import { isObject, type KubeObject } from '../types.js';
import { applyJsonPatch } from './json-patch.js';
import { applyMergePatch } from './merge-patch.js';
import { applyStrategicMergePatch } from './strategic-merge.js';

export const JSON_PATCH = 'application/json-patch+json';
export const MERGE_PATCH = 'application/merge-patch+json';
export const STRATEGIC_MERGE_PATCH = 'application/strategic-merge-patch+json';
export const APPLY_PATCH = 'application/apply-patch+yaml';

/** A parsed patch. */
export interface Patch {
  /** Applied to the object as it is, gives the object that shall be. */
  apply(current: KubeObject): KubeObject;
  /** Makes the object when it is not there (server-side apply). */
  creates: boolean;
}

/**
 * Parses a patch body.
 *
 * Server-side apply (`application/apply-patch+yaml`) is a merge of what is given into what is there: no field managers, so no
 * conflicts, and a field that an applier stops naming stays.
 * @throws ApiError 400 for what is no patch, 415 for a format that this resource does not take.
 */
export function parsePatch(type: ResourceType, contentType: string | undefined, body: Buffer): Patch {
  const media = (contentType ?? '').split(';')[0]!.trim().toLowerCase();
  const checked = (result: unknown): KubeObject => {
    if (!isObject(result)) throw badRequest('the patch leaves no object');
    return result as KubeObject;
  };
  switch (media) {
    case JSON_PATCH: {
      const patch = parseJsonText(body);
      return { creates: false, apply: (current) => checked(applyJsonPatch(current, patch)) };
    }
    case MERGE_PATCH: {
      const patch = parseJsonText(body);
      if (!isObject(patch)) throw badRequest('error decoding patch: a merge patch is an object');
      return { creates: false, apply: (current) => checked(applyMergePatch(current, patch)) };
    }
    case STRATEGIC_MERGE_PATCH: {
      if (type.custom) break;
      const patch = parseJsonText(body);
      if (!isObject(patch)) throw badRequest('error decoding patch: a strategic merge patch is an object');
      return { creates: false, apply: (current) => checked(applyStrategicMergePatch(current, patch, type.schemaName)) };
    }
    case APPLY_PATCH: {
      const patch = parseYamlText(body);
      if (!isObject(patch)) throw badRequest('error decoding patch: an applied configuration is an object');
      const apply = (current: KubeObject): unknown =>
        type.custom ? applyMergePatch(current, patch) : applyStrategicMergePatch(current, patch, type.schemaName);
      return { creates: true, apply: (current) => checked(apply(current)) };
    }
  }
  throw unsupportedMediaType([JSON_PATCH, MERGE_PATCH, APPLY_PATCH, ...(type.custom ? [] : [STRATEGIC_MERGE_PATCH])]);
}
