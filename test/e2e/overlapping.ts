/** Whether two stations answered for a VIP at the same time, from what an observer has heard. Pure. */

import type { Answer } from './arp-observer.js';

/**
 * An owner answers every question. One that has left so many unanswered was none meanwhile, so that who owns, loses and owns again overlaps with
 * nobody who owned in between; nobody takes over from a silent owner within so short a time.
 */
const SILENT_QUESTIONS = 10;

interface Tenure {
  mac: string;
  /** Questions. */
  first: number;
  last: number;
  /** Answers, in the order in which they came. */
  from: number;
  to: number;
}

/**
 * The longest overlap of any two answerers, in questions: from the later one's first answer to the earlier one's last. Where that came before, there
 * is none, though both answered the same question: one took over while it was under way.
 */
export function overlapping(answers: readonly Pick<Answer, 'mac' | 'question' | 'gratuitous'>[]): number {
  const present = new Map<string, Tenure>();
  const all: Tenure[] = [];
  for (const [place, { mac, question, gratuitous }] of answers.entries()) {
    if (gratuitous) continue;
    const tenure = present.get(mac);
    if (tenure !== undefined && question - tenure.last <= SILENT_QUESTIONS) {
      tenure.last = question;
      tenure.to = place;
      continue;
    }
    const begun = { mac, first: question, last: question, from: place, to: place };
    present.set(mac, begun);
    all.push(begun);
  }
  const overlaps = all.flatMap((a, i) =>
    all
      .slice(i + 1)
      .filter((b) => a.mac !== b.mac && b.from < a.to)
      .map((b) => Math.min(a.last, b.last) - Math.max(a.first, b.first) + 1),
  );
  return Math.max(0, ...overlaps);
}
