/** How the parts of the pool's parser say no, and the checks that they share. Not exported from the package. */

import { type LabelSelector, selectorFault } from '../label-selector.js';
import { reasons } from '../names.js';

/** Thrown within the parser, and caught by it: the message says what, where, why and what to do. */
export class Refusal extends Error {
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

export type Fields = Readonly<Record<string, unknown>>;

export function invalid(message: string): Refusal {
  return new Refusal(reasons.invalidSpec, message);
}

export function asFields(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}

export function show(value: unknown): string {
  return JSON.stringify(value) ?? String(value);
}

/** spec[name], or the default where it is absent. null is absent, as the API server has it. */
export function optional(spec: Fields, name: string): unknown {
  return spec[name] ?? undefined;
}

export function booleanOf(spec: Fields, name: string, byDefault: boolean): boolean {
  const value = optional(spec, name) ?? byDefault;
  if (typeof value !== 'boolean') throw invalid(`spec.${name} is ${show(value)}; write true or false without quotes`);
  return value;
}

export function integerOf(spec: Fields, name: string, min: number, max: number, byDefault: number): number {
  return integerWithin(optional(spec, name), `spec.${name}`, [min, max], byDefault);
}

/** `path` is what the message calls it. */
export function integerWithin(
  given: unknown,
  path: string,
  [min, max]: readonly [number, number],
  byDefault: number,
): number {
  const value = given ?? byDefault;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    throw invalid(
      `${path} is ${show(value)}; write a whole number from ${min} to ${max}, or leave it out for ${byDefault}`,
    );
  }
  return value;
}

export function choiceOf<T extends string>(spec: Fields, name: string, choices: readonly T[], byDefault: T): T {
  const value = optional(spec, name) ?? byDefault;
  const choice = choices.find((each) => each === value);
  if (choice === undefined) {
    throw invalid(
      `spec.${name} is ${show(value)}; write one of ${choices.join(', ')}, or leave it out for ${byDefault}`,
    );
  }
  return choice;
}

/** A list of texts, each at most once; undefined where it is absent or empty. */
export function textsOf(spec: Fields, name: string, max: number, example: string): string[] | undefined {
  const value = optional(spec, name);
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) throw invalid(`spec.${name} is ${show(value)}; write a list, such as ${example}`);
  if (value.length > max) throw invalid(`spec.${name} has ${value.length} entries, at most ${max} are allowed`);
  for (const [index, text] of value.entries()) {
    if (typeof text !== 'string' || text === '') {
      throw invalid(`spec.${name}[${index}] is ${show(text)}; write a text, as in ${example}`);
    }
    if (value.indexOf(text) < index) throw invalid(`spec.${name} lists ${show(text)} twice; once is enough`);
  }
  return value.length > 0 ? (value as string[]) : undefined;
}

export function selectorOf(fields: Fields, name: string, path = `spec.${name}`): LabelSelector | undefined {
  const value = optional(fields, name);
  if (value === undefined) return undefined;
  const fault = selectorFault(value, path);
  if (fault) throw invalid(fault);
  return value as LabelSelector;
}

/** For what nobody can correct now: one field that cannot be read makes all of them the defaults. */
export function orDefaults<T>(parse: (fields: Fields) => T, fields: Fields): T {
  try {
    return parse(fields);
  } catch (error) {
    if (error instanceof Refusal) return parse({});
    throw error;
  }
}
