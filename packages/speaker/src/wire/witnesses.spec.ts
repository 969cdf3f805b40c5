import { expect } from 'chai';
import { parseMac } from './mac.js';
import { ASK_AT_MOST, Witnesses } from './witnesses.js';

const MAC = parseMac('02:00:00:00:00:0b');
const [N1, N2, GATEWAY] = [0x0a4d000b, 0x0a4d000c, 0x0a4d0001];
const STATIONS = [
  { ip: N1, name: 'n1' },
  { ip: N2, name: 'n2' },
  { ip: GATEWAY, name: '10.77.0.1' },
];

function setUp(...heard: [name: string, at: number][]): Witnesses {
  const witnesses = new Witnesses();
  witnesses.configure(STATIONS, true);
  for (const [name, at] of heard) witnesses.heard(name, at);
  return witnesses;
}

describe('the witnesses of an owner’s silence', () => {
  // n1 owned, and was last heard of at 1000.
  const cases: [string, [string, number][], boolean][] = [
    [
      'another node was heard of since',
      [
        ['n1', 1_000],
        ['n2', 1_100],
      ],
      true,
    ],
    [
      'the gateway was',
      [
        ['n1', 1_000],
        ['10.77.0.1', 1_001],
      ],
      true,
    ],
    [
      'the API server was',
      [
        ['n1', 1_000],
        ['api', 1_001],
      ],
      true,
    ],
    ['the owner itself was, in another way', [['n1', 1_001]], true],
    [
      'nobody was, though others used to be',
      [
        ['n1', 1_000],
        ['n2', 900],
      ],
      false,
    ],
    [
      'nobody was, though the API server used to answer',
      [
        ['n1', 999],
        ['api', 900],
      ],
      false,
    ],
    ['nobody was, but nobody but the owner ever is', [['n1', 999]], true],
    [
      'nobody was, and the others had long been silent',
      [
        ['n1', 999],
        ['n2', -200_000],
      ],
      true,
    ],
    ['nobody ever was', [], false],
  ];
  for (const [when, heard, hears] of cases) {
    it(`${hears ? 'allow a takeover' : 'show this node to be cut off'} when ${when}`, () => {
      expect(setUp(...heard).hears(1_000, 'n1')).to.equal(hears);
    });
  }

  it('go on showing it for however long it lasts', () => {
    const witnesses = setUp(['n1', 999], ['n2', 900]);
    expect(witnesses.hears(1_000, 'n1')).to.equal(false); // whatever time it is
    witnesses.frame(N2, MAC, 900_000);
    expect(witnesses.hears(1_000, 'n1')).to.equal(true);
  });

  it('are not needed where there is no other node', () => {
    const witnesses = new Witnesses();
    witnesses.configure([{ ip: GATEWAY, name: '10.77.0.1' }], false);
    expect(witnesses.hears(0, undefined)).to.equal(true);
  });

  it('are heard by their frames, and no others are', () => {
    const witnesses = setUp();
    witnesses.frame(0x0a4d0064, MAC, 2_000);
    expect(witnesses.hears(1_000, undefined)).to.equal(false);
    witnesses.frame(GATEWAY, MAC, 2_000);
    expect(witnesses.hears(1_000, undefined)).to.equal(true);
  });

  it('are asked where they were last, the latest first, and not all of many', () => {
    const witnesses = setUp(['n1', 5]);
    witnesses.frame(N2, MAC, 10);
    expect(witnesses.toAsk().map(({ name, mac }) => [name, mac && [...mac]])).to.deep.equal([
      ['n2', [...MAC]],
      ['n1', undefined],
      ['10.77.0.1', undefined],
    ]);
    witnesses.configure(
      Array.from({ length: 100 }, (_, n) => ({ ip: n, name: `n${n}` })),
      true,
    );
    expect(witnesses.toAsk()).to.have.length(ASK_AT_MOST);
    expect(witnesses.toAsk()[0]!.name).to.equal('n2');
  });
});
