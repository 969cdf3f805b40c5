import { expect } from 'chai';
import { ASK_AGAIN_MS, DETECTION_MS, Detection } from './detection.js';

const VIP = 0x0a4d00c8;

/** Calls `due` whenever it wants to be called, until then; tells when it asked, and when it found the address free. */
function run(detection: Detection, from: number, until: number): { asked: number[]; freeAt: number | undefined } {
  const asked: number[] = [];
  for (let now = from; now <= until; now = Math.max(now, detection.nextAt ?? Number.POSITIVE_INFINITY)) {
    const { ask, free } = detection.due(now);
    if (ask.includes(VIP)) asked.push(now);
    if (free.includes(VIP)) return { asked, freeAt: now };
  }
  return { asked, freeAt: undefined };
}

describe('duplicate address detection', () => {
  it('asks three times, 100 ms apart, and waits 200 ms for the last answer', () => {
    const detection = new Detection();
    detection.begin(VIP, 1_000);
    expect(run(detection, 1_000, 9_000)).to.deep.equal({ asked: [1_000, 1_100, 1_200], freeAt: 1_000 + DETECTION_MS });
    expect(DETECTION_MS).to.be.at.most(500);
    expect(detection.has(VIP)).to.equal(false);
    expect(detection.nextAt).to.equal(undefined);
  });

  for (const after of [0, 50, 150, 399]) {
    it(`leaves an address alone for which a station answers after ${after} ms, and asks again every minute`, () => {
      const detection = new Detection();
      detection.begin(VIP, 0);
      expect(run(detection, 0, after).freeAt).to.equal(undefined);
      expect(detection.answered(VIP, after)).to.equal(true);
      expect(run(detection, after, after + ASK_AGAIN_MS - 1)).to.deep.equal({ asked: [], freeAt: undefined });
      const again = after + ASK_AGAIN_MS;
      detection.due(again);
      detection.answered(VIP, again + 1);
      expect(detection.has(VIP)).to.equal(true);
      const gone = again + 1 + ASK_AGAIN_MS;
      expect(run(detection, gone, gone + 1_000)).to.deep.equal({
        asked: [gone, gone + 100, gone + 200],
        freeAt: gone + DETECTION_MS,
      });
    });
  }

  it('does not heed answers about addresses that it does not ask about', () => {
    const detection = new Detection();
    expect(detection.answered(VIP, 0)).to.equal(false);
    detection.begin(VIP, 0);
    detection.end(VIP);
    expect(detection.answered(VIP, 1)).to.equal(false);
    expect(detection.due(10_000)).to.deep.equal({ ask: [], free: [] });
  });

  it('asks anew after the process stood still: answers may not have been read yet', () => {
    const detection = new Detection();
    detection.begin(VIP, 0);
    for (const now of [0, 100, 200]) detection.due(now);
    expect(detection.due(5_000)).to.deep.equal({ ask: [VIP], free: [] });
    expect(run(detection, 5_000, 9_000).freeAt).to.equal(5_000 + DETECTION_MS);
  });

  it('is about each address by itself', () => {
    const detection = new Detection();
    detection.begin(VIP, 0);
    detection.begin('fd0000770000000000000000000000c8', 0);
    detection.due(0);
    detection.answered('fd0000770000000000000000000000c8', 1);
    expect(run(detection, 1, 1_000).freeAt).to.equal(DETECTION_MS);
    expect(detection.has('fd0000770000000000000000000000c8')).to.equal(true);
  });
});
