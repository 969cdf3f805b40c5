/**
 * Rules for metadata that hold for every resource: names, labels, annotations, finalizers.
 * Texts follow k8s.io/apimachinery (util/validation and api/validation/objectmeta.go).
 */
import { type FieldError, field } from './errors.js';
import type { NameRule } from './strategy.js';
import type { KubeObject } from './types.js';
import { isObject } from './types.js';

const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const LABEL_1035 = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/;
const SUBDOMAIN = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const QUALIFIED_NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;
const ANNOTATIONS_MAX_BYTES = 256 * 1024;

const ADVICE: Record<Exclude<NameRule, 'path'>, string> = {
  label:
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
  label1035:
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
  subdomain:
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
};

/** Why this is no name of the given kind; undefined when it is one. */
export function nameProblem(name: string, rule: NameRule): string | undefined {
  switch (rule) {
    case 'label':
      if (name.length > 63) return 'must be no more than 63 characters';
      return LABEL.test(name) ? undefined : ADVICE.label;
    case 'label1035':
      if (name.length > 63) return 'must be no more than 63 characters';
      return LABEL_1035.test(name) ? undefined : ADVICE.label1035;
    case 'subdomain':
      if (name.length > 253) return 'must be no more than 253 characters';
      return SUBDOMAIN.test(name) ? undefined : ADVICE.subdomain;
    case 'path':
      if (name === '.' || name === '..') return `may not be '${name}'`;
      return /[/%]/.test(name) ? `may not contain '${name.includes('/') ? '/' : '%'}'` : undefined;
  }
}

/** Why this is no label or annotation key; undefined when it is one. */
function keyProblem(key: string): string | undefined {
  const [first, second, ...rest] = key.split('/');
  const name = second ?? first!;
  if (rest.length > 0) return 'a qualified name must consist of an optional DNS subdomain prefix and one name part';
  if (second !== undefined && !SUBDOMAIN.test(first!)) return `prefix part ${ADVICE.subdomain}`;
  if (name.length > 63) return 'name part must be no more than 63 characters';
  if (QUALIFIED_NAME.test(name)) return undefined;
  return "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
}

/** Checks what does not depend on the resource. `previous` is the object that is replaced. */
export function validateMetadata(next: KubeObject, previous: KubeObject | undefined, rule: NameRule): FieldError[] {
  const errors: FieldError[] = [];
  const { name, labels, annotations, finalizers, ownerReferences } = next.metadata;
  if (!previous) {
    const problem = nameProblem(name, rule);
    if (problem) errors.push(field.invalid('metadata.name', name, problem));
  }
  if (labels !== undefined && !isObject(labels))
    errors.push(field.typeInvalid('metadata.labels', labels, 'must be a map'));
  for (const [key, value] of Object.entries(labels ?? {})) {
    const problem = keyProblem(key);
    if (problem) errors.push(field.invalid('metadata.labels', key, problem));
    if (typeof value !== 'string' || !LABEL_VALUE.test(value)) {
      errors.push(
        field.invalid(
          'metadata.labels',
          value,
          "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
        ),
      );
    }
  }
  let bytes = 0;
  for (const [key, value] of Object.entries(annotations ?? {})) {
    const problem = keyProblem(key.toLowerCase());
    if (problem) errors.push(field.invalid('metadata.annotations', key, problem));
    if (typeof value !== 'string') errors.push(field.typeInvalid('metadata.annotations', value, 'must be a string'));
    bytes += key.length + String(value).length;
  }
  if (bytes > ANNOTATIONS_MAX_BYTES) errors.push(field.tooLong('metadata.annotations', ANNOTATIONS_MAX_BYTES));
  for (const finalizer of finalizers ?? []) {
    const problem = keyProblem(finalizer);
    if (problem) errors.push(field.invalid('metadata.finalizers', finalizer, problem));
  }
  ownerReferences?.forEach((owner, i) => {
    for (const part of ['apiVersion', 'kind', 'name', 'uid'] as const) {
      if (!owner[part])
        errors.push(field.invalid(`metadata.ownerReferences[${i}].${part}`, owner[part] ?? '', 'must not be empty'));
    }
  });
  if (previous?.metadata.deletionTimestamp) {
    const added = (finalizers ?? []).filter((finalizer) => !previous.metadata.finalizers?.includes(finalizer));
    if (added.length > 0) {
      errors.push(
        field.forbidden(
          'metadata.finalizers',
          `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added.map((name) => JSON.stringify(name)).join(', ')}}`,
        ),
      );
    }
  }
  return errors;
}
