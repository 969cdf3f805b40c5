/**
 * The CEL rules of AddressPool's addresses against Fairlead's own parser. The lab's API server does not evaluate CEL; these rules
 * keep to what reads the same in JavaScript, so that they can be tried here.
 */
import { readFile } from 'node:fs/promises';
import { formatRange, parseRange } from '@fairlead/api';
import { expect } from 'chai';
import fc from 'fast-check';
import { parse } from 'yaml';

interface Text {
  pattern: string;
  'x-kubernetes-validations': { rule: string; message: string }[];
}

const crd = new URL('../../../deploy/crd.yaml', import.meta.url); // from test/dist/deploy/

function admits({ pattern, 'x-kubernetes-validations': rules }: Text, text: string): string[] {
  const self = { contains: (part: string) => text.includes(part), matches: (re: string) => new RegExp(re).test(text) };
  const broken = rules.filter(({ rule }) => new Function('self', `return ${rule}`)(self) !== true);
  return [...(new RegExp(pattern).test(text) ? [] : ['pattern']), ...broken.map(({ message }) => message)];
}

describe('the rules of AddressPool.spec in the CRD', () => {
  let spec: Record<string, { items: Text }>;
  before(async () => {
    const { schema } = parse(await readFile(crd, 'utf8')).spec.versions[0];
    spec = schema.openAPIV3Schema.properties.spec.properties;
  });

  it('let every range pass that Fairlead reads', () => {
    const value = fc.oneof(fc.ipV4(), fc.ipV6());
    fc.assert(
      fc.property(value, value, fc.nat(128), (a, b, length) => {
        for (const text of [`${a}/${length}`, `${a}-${b}`, `${a} - ${b}`]) {
          try {
            formatRange(parseRange(text));
          } catch {
            continue;
          }
          for (const name of ['addresses', 'excludeAddresses'])
            expect(admits(spec[name]!.items, text)).to.deep.equal([]);
        }
      }),
      { numRuns: 2_000 },
    );
    for (const text of ['0.0.0.0/0', '255.255.255.255/32', '192.0.2.0/29', '::/0', '2001:db8::/128', '1::-2::']) {
      expect(admits(spec.addresses!.items, text), text).to.deep.equal([]);
    }
  });

  for (const [text, message] of [
    ['192.0.2.256/32', /greater than 255/],
    ['192.0.2.0-192.0.2.1000', /greater than 255/],
    ['192.0.2.0/33', /at most 32/],
    ['192.0.2.0/128', /at most 32/],
    ['2001:db8::/129', /at most 128/],
    ['2001:db8::/200', /at most 128/],
    ['192.0.2.1-2001:db8::1', /same family/],
    ['2001:db8::1 - 192.0.2.1', /same family/],
  ] as const) {
    it(`refuse ${text}, as Fairlead does`, () => {
      expect(() => parseRange(text)).to.throw();
      for (const name of ['addresses', 'excludeAddresses']) {
        expect(admits(spec[name]!.items, text).join()).to.match(message);
      }
    });
  }

  it('want values where an operator of a selector has some, and nowhere else', async () => {
    const rules = [...(await readFile(crd, 'utf8')).matchAll(/- rule: (\(self\.operator.*)$/gm)].map(
      ([, rule]) => rule!,
    );
    expect(rules).to.have.length(4);
    expect(new Set(rules)).to.deep.equal(
      new Set(["(self.operator in ['In', 'NotIn']) == (has(self.values) && self.values.size() > 0)"]),
    );
  });
});
