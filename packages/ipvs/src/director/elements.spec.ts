import { expect } from 'chai';
import fc from 'fast-check';
import {
  accessOf,
  type ElementChange,
  type ElementKind,
  type Elements,
  elementChanges,
  elementsOf,
  type Guarded,
  kinds,
  operations,
  serviceElement,
} from './elements.js';
import { nobody } from './source-ranges.js';

const vips = fc.constantFrom('10.77.0.200', '10.77.0.201', 'fd00:77::200');
const ranges = fc.subarray(['10.0.0.0/8', '10.1.0.0/16', '0.0.0.0/0', 'fd00::/16', 'fd00:1::/32', '192.0.2.1/32']);
const guarded: fc.Arbitrary<Guarded> = fc
  .record({
    address: vips,
    port: fc.constantFrom(80, 443),
    protocol: fc.constantFrom('tcp', 'udp', 'sctp'),
    sourceRanges: fc.option(ranges, { nil: undefined }),
  })
  .map(({ sourceRanges, ...key }) => (sourceRanges ? { ...key, sourceRanges } : key));
const states = fc.record({
  vips: fc.uniqueArray(vips),
  servers: fc.uniqueArray(guarded, { selector: serviceElement, maxLength: 8 }),
});
type State = typeof states extends fc.Arbitrary<infer T> ? T : never;

const accessIn = ({ vips, servers }: State) => accessOf(vips, servers, nobody);

/** What the kernel does with a transaction; adding what is there or deleting what is not would be refused. */
function apply(changes: readonly ElementChange[], to: Elements): Elements {
  const after = Object.fromEntries(kinds.map((kind) => [kind, new Set(to[kind])])) as Record<ElementKind, Set<string>>;
  for (const { verb, kind, elements } of changes) {
    for (const element of elements) {
      expect(after[kind].has(element), `${verb} ${element}`).to.equal(verb === 'delete');
      if (verb === 'add') after[kind].add(element);
      else after[kind].delete(element);
    }
  }
  return after;
}

describe('elements of the firewall', () => {
  it('are led from any state to any other, deletions first', () => {
    fc.assert(
      fc.property(states, states, (from, to) => {
        const [before, after] = [elementsOf(accessIn(from)), elementsOf(accessIn(to))];
        const changes = elementChanges(after, before);
        expect(apply(changes, before)).to.deep.equal(after);
        const verbs = changes.map(({ verb }) => verb);
        expect(verbs).to.deep.equal([...verbs].sort().reverse());
        expect(elementChanges(after, after)).to.deep.equal([]);
      }),
    );
  });

  it('change for a part as they would for the whole', () => {
    fc.assert(
      fc.property(states, guarded, (from, changed) => {
        const key = serviceElement(changed);
        const to = { ...from, servers: [...from.servers.filter((server) => serviceElement(server) !== key), changed] };
        const part = elementChanges(
          elementsOf(accessOf([], [changed], nobody)),
          elementsOf(
            accessOf(
              [],
              from.servers.filter((server) => serviceElement(server) === key),
              nobody,
            ),
          ),
        );
        expect(part).to.deep.equal(elementChanges(elementsOf(accessIn(to)), elementsOf(accessIn(from))));
      }),
    );
  });

  it('are counted as people do: a VIP once, each port, each range', () => {
    const web = { address: '10.77.0.200', port: 80, protocol: 'tcp' } as const;
    const none = elementsOf(accessOf([], [], nobody));
    const count = (vips: string[], servers: Guarded[]) =>
      operations(elementChanges(elementsOf(accessOf(vips, servers, nobody)), none));
    expect(count(['10.77.0.200', 'fd00:77::200'], [])).to.equal(2);
    expect(count([], [web])).to.equal(1);
    expect(count([], [{ ...web, sourceRanges: ['10.0.0.0/8', '192.0.2.0/24'] }])).to.equal(3);
    const lost = { ...none, snat: new Set(['10.77.0.200']) };
    expect(operations(elementChanges(lost, none)), 'half a VIP').to.equal(1);
  });
});
