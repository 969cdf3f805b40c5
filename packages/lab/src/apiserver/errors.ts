/**
 * Errors as the Kubernetes API tells them: a `Status` object with a machine-readable reason and, for invalid input,
 * one cause per field. Texts follow k8s.io/apimachinery (api/errors and util/validation/field), because people and
 * programs recognise them.
 */
import type { JsonObject } from './types.js';

/** Names a resource in an error: `services`, or `addresspools.fairlead.dev`. */
export interface ResourceName {
  group: string;
  plural: string;
  kind: string;
}

export interface StatusCause {
  reason: string;
  message: string;
  field?: string;
}

export interface StatusDetails {
  name?: string;
  group?: string;
  kind?: string;
  uid?: string;
  causes?: StatusCause[];
  retryAfterSeconds?: number;
}

/** An error that reaches the client as a Status object with HTTP status `code`. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  constructor(
    /** HTTP status. */
    readonly code: number,
    /** `reason` of the Status object, such as NotFound. */
    readonly reason: string,
    message: string,
    readonly details: StatusDetails = {},
  ) {
    super(message);
  }

  /** The Status object for the wire. */
  toStatus(): JsonObject {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: this.message,
      ...(this.reason === '' ? {} : { reason: this.reason }),
      details: this.details,
      code: this.code,
    };
  }
}

const qualified = (resource: ResourceName): string =>
  resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`;

const detailsOf = (resource: ResourceName, name: string): StatusDetails => ({
  name,
  ...(resource.group === '' ? {} : { group: resource.group }),
  kind: resource.plural,
});

export const notFound = (resource: ResourceName, name: string): ApiError =>
  new ApiError(404, 'NotFound', `${qualified(resource)} "${name}" not found`, detailsOf(resource, name));

export const alreadyExists = (resource: ResourceName, name: string): ApiError =>
  new ApiError(409, 'AlreadyExists', `${qualified(resource)} "${name}" already exists`, detailsOf(resource, name));

export const conflict = (resource: ResourceName, name: string, why: string): ApiError =>
  new ApiError(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${qualified(resource)} "${name}": ${why}`,
    detailsOf(resource, name),
  );

/** What a writer with an old resourceVersion is told. */
export const MODIFIED = 'the object has been modified; please apply your changes to the latest version and try again';

export const badRequest = (message: string): ApiError => new ApiError(400, 'BadRequest', message);

export const forbidden = (resource: ResourceName, name: string, why: string): ApiError =>
  new ApiError(403, 'Forbidden', `${qualified(resource)} "${name}" is forbidden: ${why}`, detailsOf(resource, name));

export const methodNotAllowed = (): ApiError =>
  new ApiError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource');

/** The path belongs to no resource that is served. */
export const noSuchResource = (): ApiError =>
  new ApiError(404, 'NotFound', 'the server could not find the requested resource');

export const unsupportedMediaType = (accepted: readonly string[]): ApiError =>
  new ApiError(
    415,
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
  );

/** A watch that starts before the history that is kept. */
export const expiredWatch = (wanted: number, oldest: number): ApiError =>
  new ApiError(410, 'Expired', `too old resource version: ${wanted} (${oldest})`);

/** A page of a list that can no longer be given as it was. */
export const expiredContinue = (): ApiError =>
  new ApiError(
    410,
    'Expired',
    'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.',
  );

/** A read that wants a state which this server has not reached. */
export const tooLargeResourceVersion = (wanted: number, current: number): ApiError =>
  new ApiError(504, 'Timeout', `Too large resource version: ${wanted}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  });

/** One wrong field, before it becomes a cause of a 422. */
export interface FieldError {
  reason: string;
  field: string;
  /** The text after the field: `Invalid value: 0: must be ...`. */
  message: string;
}

const show = (value: unknown): string => JSON.stringify(value) ?? 'null';

/** Makers of field errors, named as in k8s.io/apimachinery/pkg/util/validation/field. */
export const field = {
  required: (path: string, detail = ''): FieldError => ({
    reason: 'FieldValueRequired',
    field: path,
    message: detail === '' ? 'Required value' : `Required value: ${detail}`,
  }),
  invalid: (path: string, value: unknown, detail: string): FieldError => ({
    reason: 'FieldValueInvalid',
    field: path,
    message: `Invalid value: ${show(value)}: ${detail}`,
  }),
  typeInvalid: (path: string, value: unknown, detail: string): FieldError => ({
    reason: 'FieldValueTypeInvalid',
    field: path,
    message: `Invalid value: ${show(value)}: ${detail}`,
  }),
  notSupported: (path: string, value: unknown, supported: readonly string[]): FieldError => ({
    reason: 'FieldValueNotSupported',
    field: path,
    message: `Unsupported value: ${show(value)}: supported values: ${[...supported].map(show).join(', ')}`,
  }),
  duplicate: (path: string, value: unknown): FieldError => ({
    reason: 'FieldValueDuplicate',
    field: path,
    message: `Duplicate value: ${show(value)}`,
  }),
  forbidden: (path: string, detail: string): FieldError => ({
    reason: 'FieldValueForbidden',
    field: path,
    message: `Forbidden: ${detail}`,
  }),
  tooLong: (path: string, maximum: number): FieldError => ({
    reason: 'FieldValueTooLong',
    field: path,
    message: `Too long: may not be more than ${maximum} bytes`,
  }),
};

/** The 422 for an object with wrong fields. */
export function invalid(resource: ResourceName, name: string, errors: readonly FieldError[]): ApiError {
  const lines = errors.map((error) => `${error.field}: ${error.message}`);
  const kind = resource.group === '' ? resource.kind : `${resource.kind}.${resource.group}`;
  return new ApiError(
    422,
    'Invalid',
    `${kind} "${name}" is invalid: ${lines.length === 1 ? lines[0] : `[${lines.join(', ')}]`}`,
    {
      name,
      ...(resource.group === '' ? {} : { group: resource.group }),
      kind: resource.kind,
      causes: errors.map((error) => ({ reason: error.reason, message: error.message, field: error.field })),
    },
  );
}
