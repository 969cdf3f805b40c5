/** What the CRD refuses of an AddressPool, against Fairlead's own parser: as the lab's API server evaluates CEL. */
import { readFile } from 'node:fs/promises';
import { formatRange, parseAddressPool, parseRange } from '@fairlead/api';
import { RuleSet } from '@fairlead/lab';
import { expect } from 'chai';
import fc from 'fast-check';
import { parse } from 'yaml';

interface TimesSchema {
  maxItems: number;
  items: { minimum: number; maximum: number };
}

const crd = new URL('../../../deploy/crd.yaml', import.meta.url); // from test/dist/deploy/

describe('the rules of AddressPool.spec in the CRD', () => {
  let properties: Record<string, { items: { pattern: string } }>;
  let rules: RuleSet;
  before(async () => {
    const schema = parse(await readFile(crd, 'utf8')).spec.versions[0].schema.openAPIV3Schema;
    properties = schema.properties.spec.properties;
    rules = new RuleSet(schema, 'schema');
  });

  /** What is said against it as an entry of this list. */
  function against(list: string, text: string): string[] {
    const { pattern } = properties[list]!.items;
    const object = { metadata: { name: 'pool' }, spec: { [list]: [text] } };
    const broken = rules.validate(object, undefined).map(({ message }) => message);
    return new RegExp(pattern, 'u').test(text) ? broken : ['pattern', ...broken];
  }

  it('are taken by an API server: they read well, and cost little enough', () => {
    expect(rules.errors).to.deep.equal([]);
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
          for (const name of ['addresses', 'excludeAddresses']) expect(against(name, text), text).to.deep.equal([]);
        }
      }),
      { numRuns: 2_000 },
    );
    for (const text of ['0.0.0.0/0', '255.255.255.255/32', '192.0.2.0/29', '::/0', '2001:db8::/128', '1::-2::']) {
      expect(against('addresses', text), text).to.deep.equal([]);
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
        expect(against(name, text).join()).to.match(message);
      }
    });
  }

  for (const [operator, values, isRight] of [
    ['In', ['a'], true],
    ['In', [], false],
    ['NotIn', undefined, false],
    ['Exists', undefined, true],
    ['Exists', [], true],
    ['DoesNotExist', ['a'], false],
  ] as const) {
    it(`${isRight ? 'let' : 'do not let'} ${operator} have ${values === undefined ? 'no values' : `values [${values}]`}`, () => {
      const selector = { matchExpressions: [{ key: 'rack', operator, ...(values && { values }) }] };
      const spec = {
        namespaceSelector: selector,
        serviceSelector: selector,
        nodeSelector: selector,
        preferredNodes: [{ weight: 1, selector }],
      };
      const errors = rules.validate({ metadata: { name: 'pool' }, spec }, undefined);
      expect(errors.map(({ field }) => field.split('.')[1])).to.deep.equal(
        isRight ? [] : ['namespaceSelector', 'serviceSelector', 'nodeSelector', 'preferredNodes[0]'],
      );
    });
  }

  it('let pass the same times of repeated announcements as Fairlead does, together with their bounds', async () => {
    const { announcement } = properties as unknown as Record<string, { properties: Record<string, TimesSchema> }>;
    const { maxItems, items } = announcement!.properties.repeatAfterMilliseconds!;
    const time = fc.oneof(fc.integer({ min: -1, max: 4 }), fc.integer({ min: 0, max: 60_002 }));
    const times = fc.array(time, { maxLength: 10 });
    const inOrder = times.map((list) => list.sort((a, b) => a - b));
    fc.assert(
      fc.property(fc.oneof(times, inOrder), (repeatAfterMilliseconds) => {
        const spec = { addresses: ['192.0.2.0/28'], announcement: { repeatAfterMilliseconds } };
        const object = { metadata: { name: 'pool' }, spec };
        const isAdmitted =
          repeatAfterMilliseconds.length <= maxItems &&
          repeatAfterMilliseconds.every((each) => each >= items.minimum && each <= items.maximum) &&
          rules.validate(object, undefined).length === 0;
        expect(parseAddressPool(object).ok).to.equal(isAdmitted);
      }),
    );
  });
});
