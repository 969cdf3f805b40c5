/** Whether two stations answered at the same time. Pure. */
import type { Answer } from '../../e2e/arp-observer.js';

/** Who answers again after leaving so many questions unanswered owns for a second time, as after a fail-back: what lies between is the other's. */
const NEW_TENURE_QUESTIONS = 20;

interface Tenure {
  mac: string;
  /** Numbers of questions. */
  first: number;
  last: number;
}

/** The longest overlap of any two answerers, in questions: from the later one's first answer to the earlier one's last. */
export function overlap(answers: readonly Pick<Answer, 'mac' | 'question' | 'gratuitous'>[]): number {
  const tenures: Tenure[] = [];
  for (const { mac, question, gratuitous } of answers) {
    if (gratuitous) continue;
    const tenure = tenures.findLast((candidate) => candidate.mac === mac);
    if (tenure !== undefined && question - tenure.last <= NEW_TENURE_QUESTIONS) tenure.last = question;
    else tenures.push({ mac, first: question, last: question });
  }
  const overlaps = tenures.flatMap((a, i) =>
    tenures.slice(i + 1).map((b) => Math.min(a.last, b.last) - Math.max(a.first, b.first) + 1),
  );
  return Math.max(0, ...overlaps);
}
