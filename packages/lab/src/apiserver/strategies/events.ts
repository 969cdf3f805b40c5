/**
 * Events are one thing under two names: core/v1 and events.k8s.io/v1 show the same objects with other field names. They are
 * stored as core/v1 (kubernetes/pkg/apis/core/v1 and pkg/apis/events/v1, conversion.go).
 */
import type { ResourceType } from '../resources.js';
import { plainStrategy, type Strategy } from '../strategy.js';
import type { JsonObject, KubeObject } from '../types.js';

export const eventStrategy: Strategy = { ...plainStrategy, createOnUpdate: true };

/** In events.k8s.io/v1, and in core/v1. */
const RENAMED: readonly (readonly [string, string])[] = [
  ['regarding', 'involvedObject'],
  ['note', 'message'],
  ['reportingController', 'reportingComponent'],
  ['deprecatedCount', 'count'],
  ['deprecatedFirstTimestamp', 'firstTimestamp'],
  ['deprecatedLastTimestamp', 'lastTimestamp'],
  ['deprecatedSource', 'source'],
];
const TO_CORE = new Map(RENAMED);
const FROM_CORE = new Map(RENAMED.map(([view, core]) => [core, view]));

const rename = (object: KubeObject, names: ReadonlyMap<string, string>, apiVersion: string): KubeObject => {
  const renamed: JsonObject = {};
  for (const [name, value] of Object.entries(object)) renamed[names.get(name) ?? name] = value;
  return { ...(renamed as KubeObject), apiVersion };
};

export const eventConversion: NonNullable<ResourceType['conversion']> = {
  fromStorage: (object) => rename(object, FROM_CORE, 'events.k8s.io/v1'),
  toStorage: (object) => rename(object, TO_CORE, 'v1'),
};
