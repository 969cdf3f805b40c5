import { expect } from 'chai';
import { parseIptables } from './iptables-rules.js';
import { nftRule } from './nft-rules.js';
import { type Packet, type Rule, verdict } from './verdict.js';
import { holdsForFirst } from './xt.js';

const into: Packet = { iifname: 'eth0', oifname: 'fairlead0', family: 'ipv4', mark: 0 };
const outOf: Packet = { iifname: 'fairlead0', oifname: 'eth0', family: 'ipv4', mark: 0 };

/** As far as addresses are known: clients may be anywhere. */
const toVip: Packet = { ...into, destination: '10.77.0.200' };
const toNode: Packet = { ...outOf, source: '10.77.0.200', destination: '10.77.0.12' };

const counter = { counter: { packets: 1, bytes: 60 } };
const meta = (key: string, right: unknown, op = '==') => ({ match: { op, left: { meta: { key } }, right } });
const state = (right: unknown) => ({ match: { op: 'in', left: { ct: { key: 'state' } }, right } });
const marked = { match: { op: '==', left: { '&': [{ meta: { key: 'mark' } }, 0x4000] }, right: 0x4000 } };
const from = { match: { op: '==', left: { payload: { protocol: 'ip', field: 'saddr' } }, right: '10.0.0.1' } };
const xt = (type: string, name: string) => ({ xt: { type, name } });
const accept = { accept: null };
const drop = { drop: null };
const jump = (target: string) => ({ jump: { target } });

type Chains = Record<string, Record<string, unknown>[][]>;
const established = { name: 'conntrack', holds: false };
const comment = { name: 'comment', holds: true };

/** As kube-proxy in iptables mode writes it, and iptables-nft to the kernel. */
const kubeForward = [
  [xt('match', 'conntrack'), counter, drop],
  [xt('match', 'comment'), marked, counter, accept],
  [xt('match', 'comment'), xt('match', 'conntrack'), counter, accept],
];
const extensions = (rule: Record<string, unknown>[]) =>
  rule.flatMap(({ xt }) => {
    const { type, name } = (xt ?? {}) as { type?: string; name?: string };
    return type === 'match' ? [name === 'comment' ? comment : established] : [];
  });

function judge(chains: Chains, policy: 'accept' | 'drop', packet: Packet): string {
  const rules = new Map<string, Rule[]>(
    Object.entries(chains).map(([name, list]) => [
      name,
      list.map((expr, handle) => nftRule({ handle, expr }, extensions(expr))),
    ]),
  );
  return verdict(packet, { chain: 'FORWARD', policy }, (name) => rules.get(name));
}

describe('what a forward chain does to VIP traffic', () => {
  const table: [string, Chains, 'accept' | 'drop', [into: string, outOf: string]][] = [
    ['nothing', { FORWARD: [] }, 'accept', ['accepted', 'accepted']],
    ['a policy of drop', { FORWARD: [] }, 'drop', ['dropped', 'dropped']],
    [
      'a policy of drop, and kube-proxy, which lets its own and what is established pass',
      { FORWARD: [[xt('match', 'comment'), counter, jump('KUBE-FORWARD')]], 'KUBE-FORWARD': kubeForward },
      'drop',
      ['dropped', 'dropped'],
    ],
    [
      'docker: a policy of drop, and rules for its own bridge',
      {
        FORWARD: [
          [counter, jump('DOCKER-USER')],
          [meta('oifname', 'docker0'), state(['related', 'established']), accept],
          [meta('iifname', 'docker0'), meta('oifname', 'docker0', '!='), accept],
        ],
        'DOCKER-USER': [[counter, { return: null }]],
      },
      'drop',
      ['dropped', 'dropped'],
    ],
    [
      'half of what it takes',
      { FORWARD: [[meta('iifname', 'fairlead0'), counter, accept]] },
      'drop',
      ['dropped', 'accepted'],
    ],
    [
      'what it takes',
      {
        FORWARD: [
          [meta('iifname', 'fairlead0'), accept],
          [meta('oifname', 'fairlead*'), accept],
        ],
      },
      'drop',
      ['accepted', 'accepted'],
    ],
    [
      'all that enters by the uplink',
      { FORWARD: [[meta('iifname', { set: ['eth0', 'eth1'] }), accept]] },
      'drop',
      ['accepted', 'dropped'],
    ],
    [
      'an accept that comes too late',
      { FORWARD: [[meta('iifname', 'lo', '!='), drop], [accept]] },
      'accept',
      ['dropped', 'dropped'],
    ],
    [
      'firewalld: what is left is rejected',
      {
        FORWARD: [
          [state(['established', 'related']), accept],
          [{ match: { op: 'in', left: { ct: { key: 'status' } }, right: 'dnat' } }, accept],
          [meta('iifname', 'lo'), accept],
          [jump('ZONES')],
          [state('invalid'), drop],
          [{ reject: { type: 'icmpx', expr: 'admin-prohibited' } }],
        ],
        ZONES: [[meta('iifname', 'wlan0'), { goto: { target: 'trusted' } }]],
        trusted: [[accept]],
      },
      'accept',
      ['dropped', 'dropped'],
    ],
    ['addresses, which are not known here', { FORWARD: [[from, accept]] }, 'drop', ['unknown', 'unknown']],
    ['names of sets', { FORWARD: [[meta('iifname', '@trusted'), accept]] }, 'drop', ['unknown', 'unknown']],
    ['a limit', { FORWARD: [[{ limit: { rate: 5, per: 'second' } }, drop]] }, 'accept', ['unknown', 'unknown']],
    ['a map of verdicts', { FORWARD: [[{ vmap: { key: {}, data: '@m' } }]] }, 'drop', ['unknown', 'unknown']],
    ['an extension that nobody can read', { FORWARD: [[xt('match', 'set'), accept]] }, 'drop', ['unknown', 'unknown']],
    ['a target that rejects', { FORWARD: [[counter, xt('target', 'REJECT')]] }, 'accept', ['dropped', 'dropped']],
    ['a target that logs', { FORWARD: [[xt('target', 'LOG')], [accept]] }, 'drop', ['accepted', 'accepted']],
    [
      'a mark that it gives itself',
      { FORWARD: [[{ mangle: { key: {}, value: 0x4000 } }], [marked, accept]] },
      'drop',
      ['unknown', 'unknown'],
    ],
    [
      'a chain that goes elsewhere for good',
      { FORWARD: [[{ goto: { target: 'rest' } }], [accept]], rest: [[counter]] },
      'drop',
      ['dropped', 'dropped'],
    ],
    ['a chain that calls itself', { FORWARD: [[jump('FORWARD')]] }, 'accept', ['unknown', 'unknown']],
    ['IPv6 only', { FORWARD: [[meta('nfproto', 'ipv6'), drop]] }, 'accept', ['accepted', 'accepted']],
  ];
  const network = (field: string, addr: string, len: number) => ({
    match: { op: '==', left: { payload: { protocol: 'ip', field } }, right: { prefix: { addr, len } } },
  });
  it('a policy of drop, and a CNI plug-in, which lets Pods pass: dropped on the way out, for Pods’ addresses are not those', () => {
    const chains = {
      FORWARD: [
        [network('saddr', '10.244.0.0', 16), accept],
        [network('daddr', '10.244.0.0', 16), accept],
      ],
    };
    expect([judge(chains, 'drop', toVip), judge(chains, 'drop', toNode)]).to.deep.equal(['unknown', 'dropped']);
  });

  it('a policy of drop, and the nodes’ network: accepted on the way out', () => {
    const chains = { FORWARD: [[network('daddr', '10.77.0.0', 24), accept]] };
    expect([judge(chains, 'drop', toVip), judge(chains, 'drop', toNode)]).to.deep.equal(['accepted', 'accepted']);
  });

  for (const [what, chains, policy, [expectedIn, expectedOut]] of table) {
    it(`${what}: ${expectedIn} in, ${expectedOut} out`, () => {
      expect(judge(chains, policy, into)).to.equal(expectedIn);
      expect(judge(chains, policy, outOf)).to.equal(expectedOut);
    });
  }
});

describe('matches of iptables that nft cannot show', () => {
  /** struct xt_conntrack_mtinfo3: what is tested, what of it inverted, and the states. */
  const conntrack = (tests: number, inverted: number, states: number) => {
    const info = Buffer.alloc(168);
    for (const [index, value] of [tests, inverted, states].entries()) info.writeUInt16LE(value, 146 + 2 * index);
    return holdsForFirst('conntrack', info);
  };
  const [INVALID, ESTABLISHED, RELATED, NEW] = [1, 2, 4, 8];

  it('are read where they tell first packets from others', () => {
    expect(conntrack(1, 0, ESTABLISHED! | RELATED!)).to.equal(false);
    expect(conntrack(1, 0, NEW! | ESTABLISHED!)).to.equal(true);
    expect(conntrack(1, 1, INVALID!), '! --ctstate INVALID').to.equal(true);
    expect(conntrack(1 | 2, 0, NEW!), 'and another test').to.equal(undefined);
    expect(holdsForFirst('conntrack', Buffer.alloc(10))).to.equal(undefined);
    expect(holdsForFirst('state', Buffer.from([8, 0, 0, 0]))).to.equal(true);
    expect(holdsForFirst('comment', Buffer.alloc(256))).to.equal(true);
    expect(holdsForFirst('set', Buffer.alloc(40))).to.equal(undefined);
  });
});

describe('a listing of iptables-legacy', () => {
  const judgeLegacy = (listing: string, packet: Packet) => {
    const { policy, chains } = parseIptables(listing);
    return verdict(packet, { chain: 'FORWARD', policy }, (name) => chains.get(name));
  };
  const kube = `-P INPUT ACCEPT
-P FORWARD DROP
-P OUTPUT ACCEPT
-N KUBE-FORWARD
-A FORWARD -m comment --comment "kubernetes forwarding rules -j ACCEPT" -j KUBE-FORWARD
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT
-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
`;
  const table: [string, string, [into: string, outOf: string]][] = [
    ['with kube-proxy and a policy of drop', kube, ['dropped', 'dropped']],
    ['with a way out', `${kube}-A FORWARD -i fairlead0 -j ACCEPT`, ['dropped', 'accepted']],
    [
      'with both',
      `${kube}-A FORWARD -i fairlead+ -j ACCEPT\n-A FORWARD -o fairlead0 -j ACCEPT`,
      ['accepted', 'accepted'],
    ],
    ['with all but another interface', `${kube}-A FORWARD ! -i docker0 -j ACCEPT`, ['accepted', 'accepted']],
    ['with addresses', `${kube}-A FORWARD -s 10.0.0.0/8 -j ACCEPT`, ['unknown', 'unknown']],
    ['with all but datagrams', `${kube}-A FORWARD ! -p udp -m udp --dport 53 -j ACCEPT`, ['unknown', 'unknown']],
    ['with datagrams', `${kube}-A FORWARD -p udp -j ACCEPT`, ['dropped', 'dropped']],
    ['with a rejection at the end', '-P FORWARD ACCEPT\n-A FORWARD -j REJECT --reject-with x', ['dropped', 'dropped']],
    ['with nothing', '-P FORWARD ACCEPT\n', ['accepted', 'accepted']],
  ];
  it('with what a CNI plug-in lets pass: dropped on the way out', () => {
    const listing = `${kube}-A FORWARD -s 10.244.0.0/16 -j ACCEPT\n-A FORWARD -d 10.244.0.0/16 -j ACCEPT`;
    expect([judgeLegacy(listing, toVip), judgeLegacy(listing, toNode)]).to.deep.equal(['unknown', 'dropped']);
  });

  for (const [what, listing, expected] of table) {
    it(`${what}: ${expected[0]} in, ${expected[1]} out`, () => {
      expect([judgeLegacy(listing, into), judgeLegacy(listing, outOf)]).to.deep.equal(expected);
    });
  }
});
