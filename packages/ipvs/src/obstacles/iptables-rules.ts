/** Rules as `iptables -S` prints them, for verdict.ts: what iptables-legacy has is in no other listing. Pure. */
import { type Action, every, inNetwork, type Known, type Packet, type Rule, sameInterface } from './verdict.js';

export interface Iptables {
  /** Policy of FORWARD. */
  policy: 'accept' | 'drop';
  chains: Map<string, Rule[]>;
}

/** `listing`: of the table filter, all chains. */
export function parseIptables(listing: string): Iptables {
  const iptables: Iptables = { policy: 'accept', chains: new Map([['FORWARD', []]]) };
  for (const line of listing.split('\n')) {
    const [command, chain = '', ...rest] = words(line);
    if (command === '-P' && chain === 'FORWARD') iptables.policy = rest[0] === 'DROP' ? 'drop' : 'accept';
    if (command === '-N') iptables.chains.set(chain, []);
    if (command === '-A') iptables.chains.get(chain)?.push(parseRule(rest, iptables.chains));
  }
  return iptables;
}

/** Quoted ones are comments. */
function words(line: string): string[] {
  return [...line.matchAll(/"(?:[^"\\]|\\.)*"|\S+/g)].map(([word]) => word);
}

function parseRule(rest: string[], chains: ReadonlyMap<string, unknown>): Rule {
  const conditions: ((packet: Packet) => Known)[] = [];
  let action: Action = { kind: 'continue' };
  let negated = false;
  const add = (condition: (packet: Packet) => Known) => {
    const not = negated;
    negated = false;
    conditions.push((packet) => {
      const holds = condition(packet);
      return holds === undefined ? undefined : holds !== not;
    });
  };
  for (let at = 0; at < rest.length; at++) {
    const value = rest[at + 1] ?? '';
    switch (rest[at]) {
      case '!':
        negated = true;
        continue;
      case '-i':
        add(({ iifname }) => sameInterface(value, iifname));
        break;
      case '-o':
        add(({ oifname }) => sameInterface(value, oifname));
        break;
      case '-s':
        add(({ source }) => inNetwork(source, value));
        break;
      case '-d':
        add(({ destination }) => inNetwork(destination, value));
        break;
      case '-p':
        add(() => value === 'tcp');
        break;
      case '--ctstate':
      case '--state':
        add(() => value.split(',').includes('NEW'));
        break;
      case '--mark':
        add(({ mark }) => (mark === undefined ? undefined : /^0x0(\/|$)/.test(value)));
        break;
      case '-m':
      case '--comment':
        break; // says nothing by itself
      case '-j':
        action = target(value, chains);
        // What follows is the target's own.
        return { matches: (packet) => every(conditions.map((condition) => condition(packet))), action };
      case '-g':
        action = { kind: 'goto', chain: value };
        break;
      default:
        add(() => undefined);
        continue;
    }
    at++;
  }
  return { matches: (packet) => every(conditions.map((condition) => condition(packet))), action };
}

function target(name: string, chains: ReadonlyMap<string, unknown>): Action {
  switch (name) {
    case 'ACCEPT':
      return { kind: 'accept' };
    case 'DROP':
    case 'REJECT':
      return { kind: 'drop' };
    case 'RETURN':
      return { kind: 'return' };
    case 'QUEUE':
    case 'NFQUEUE':
    case 'SYNPROXY':
      return { kind: 'unknown' };
    case 'MARK':
    case 'CONNMARK':
      return { kind: 'mark' };
    default:
      return chains.has(name) ? { kind: 'jump', chain: name } : { kind: 'continue' };
  }
}
