import { expect } from 'chai';
import { overlapping } from './overlapping.js';

/** A letter is a station that answered; each word is a question. */
function answers(text: string) {
  return text
    .split(' ')
    .flatMap((word, question) => [...word].filter((mac) => mac !== '-').map((mac) => ({ mac, question })))
    .map((answer) => ({ ...answer, gratuitous: false }));
}
const silence = ' -'.repeat(12);

describe('answers of two stations', () => {
  it('overlap by the questions that both answered, or that one answered amid those of the other', () => {
    expect(overlapping(answers('a a ab ab b'))).to.equal(2);
    expect(overlapping(answers('a a b a a'))).to.equal(1);
    expect(overlapping(answers('a b a b a b'))).to.equal(4);
    expect(overlapping(answers(`a a${silence} bc bc b`))).to.equal(2);
  });

  it('overlap where the former one answers a question after the new one, and not where it did before', () => {
    expect(overlapping(answers('a a ba b'))).to.equal(1);
    expect(overlapping(answers('a a ab b'))).to.equal(0);
    expect(overlapping(answers('a a ab ba b'))).to.equal(2);
  });

  it('do not overlap where one takes over from the other, be it to and fro', () => {
    expect(overlapping([])).to.equal(0);
    expect(overlapping(answers('a a a'))).to.equal(0);
    expect(overlapping(answers('a a b b c c'))).to.equal(0);
    expect(overlapping(answers(`a a${silence} b b${silence} a a`))).to.equal(0);
  });

  it('are those to questions: an announcement is none', () => {
    const announced = answers('a b a').map((answer) => ({ ...answer, gratuitous: answer.mac === 'b' }));
    expect(overlapping(announced)).to.equal(0);
  });
});
