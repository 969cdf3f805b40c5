/**
 * What differs from resource to resource: defaults, validation, allocation. The verbs (rest.ts) are the same for all and
 * call the strategy at fixed points, as the registries of the real server do:
 *
 *   body ─▶ decode ─▶ (system metadata) ─▶ prepare ─▶ defaults ─▶ validate ─▶ stored ─▶ committed
 */
import type { FieldError } from './errors.js';
import type { KubeObject } from './types.js';

/** Where an update comes in: at the object itself or at one of its subresources. */
export type Subresource = '' | 'status' | 'finalize';

export interface Strategy {
  /**
   * `spec`: metadata.generation counts changes of everything but metadata and status;
   * `none`: the resource has no generation (services, nodes, leases ...).
   */
  readonly generation: 'none' | 'spec';
  /** An update without resourceVersion is taken as it is (last writer wins); otherwise it is refused with 422. */
  readonly unconditionalUpdate: boolean;
  /** PUT on a name that does not exist creates it. */
  readonly createOnUpdate: boolean;
  /** What a name must look like. */
  readonly nameRule: NameRule;
  /**
   * Reads the object as this type: a copy without the fields that the type does not have, which are reported.
   * @throws ApiError 400 when a value has the wrong type.
   */
  decode?(object: KubeObject, unknown: UnknownFields): KubeObject;
  /** Carries values of the old object over and fills fields in; changes `next` in place. */
  prepare?(next: KubeObject, previous: KubeObject | undefined, subresource: Subresource): void;
  validate?(next: KubeObject, previous: KubeObject | undefined, subresource: Subresource): FieldError[];
  /** The write has happened: keep allocations and tables in step. Undefined `next`: deleted. */
  committed?(next: KubeObject | undefined, previous: KubeObject | undefined): void;
}

/** Collects fields that the type does not have; the caller decides whether that warns or fails. */
export interface UnknownFields {
  /** For example `spec.ports[0].portt`. */
  add(path: string): void;
  /** All fields have been looked at; throws when the writer wanted that. `custom`: of a custom resource. */
  done(custom: boolean): void;
}

export type NameRule = 'subdomain' | 'label' | 'label1035' | 'path';

export const plainStrategy: Strategy = {
  generation: 'none',
  unconditionalUpdate: true,
  createOnUpdate: false,
  nameRule: 'subdomain',
};
