import { expect } from 'chai';
import { overlap } from './overlap.js';

/** A letter per answer, to one question after another; `(AB)`: both answered the same one; `.`: nobody did; small letters: unasked. */
function answers(text: string): Parameters<typeof overlap>[0] {
  let question = 0;
  let together = false;
  return [...text].flatMap((letter) => {
    if (letter === '(' || letter === ')') together = letter === '(';
    if (letter !== ')' && !(together && letter !== '(')) question++;
    const mac = letter.toUpperCase();
    return /[AB]/.test(mac) ? [{ mac, question, gratuitous: letter !== mac }] : [];
  });
}

describe('two stations that answer for one address', () => {
  for (const { title, text, questions } of [
    { title: 'only one ever does', text: 'AAAA', questions: 0 },
    { title: 'one after the other does', text: 'AAA..BBB', questions: 0 },
    { title: 'both answer the same question', text: 'AA(AB)BB', questions: 1 },
    { title: 'they take turns', text: 'AABABB', questions: 2 },
    { title: 'the former one answers late', text: `AAA${'B'.repeat(10)}A`, questions: 10 },
    { title: 'the former one answers once, much later', text: `AAA${'B'.repeat(30)}(AB)BB`, questions: 1 },
    { title: 'the former one owns again after a while', text: `AAA${'B'.repeat(30)}AAA`, questions: 0 },
    { title: 'the other one has announced itself unasked', text: 'AAbAA', questions: 0 },
  ]) {
    it(`overlap for ${questions} questions when ${title}`, () => expect(overlap(answers(text))).to.equal(questions));
  }
});
