/**
 * Writes on their way, and whether an answer brings what was planned and nothing else. Nearly all do, and to see that is much less
 * than to look at the Service from scratch. Pure.
 */

import type { V1Service } from '@kubernetes/client-node';
import { isPatched } from './merge-patch.js';

export class SentPatches {
  readonly #sent = new Map<string, { before: V1Service; body: object }>();

  /** `body` is being sent for the Service as it is `before`. */
  add(key: string, before: V1Service, body: object): void {
    this.#sent.set(key, { before, body });
  }

  delete(key: string): void {
    this.#sent.delete(key);
  }

  /** Whether the answer is the Service as it was, with what was sent last, and nothing else. Asked once for each answer. */
  answered(key: string, answer: V1Service): boolean {
    const sent = this.#sent.get(key);
    this.#sent.delete(key);
    return sent !== undefined && isPatched(sent.before, sent.body, answer);
  }
}
