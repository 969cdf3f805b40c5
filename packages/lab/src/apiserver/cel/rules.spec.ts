import { expect } from 'chai';
import { CRDS, TestApi, WIDGETS, widgetDefinition } from '../api.spec.helpers.js';
import type { Schema } from '../schema.js';
import type { ValidationRule } from './rules.js';

const MERGE = { 'content-type': 'application/merge-patch+json' };

const ruled = (schema: Schema, ...rules: ValidationRule[]): Schema => ({
  ...schema,
  'x-kubernetes-validations': rules,
});
const text = (maxLength: number): Schema => ({ type: 'string', maxLength });
const withSpec = (spec: Schema): Schema => ({
  type: 'object',
  properties: { spec, status: { type: 'object', properties: { ready: { type: 'boolean' } } } },
});
const widget = (spec: object, name = 'w'): object => ({ metadata: { name }, spec });

describe('CEL rules of CustomResourceDefinitions', () => {
  let api: TestApi;
  beforeEach(async () => {
    api = await TestApi.start();
  });
  afterEach(() => api.stop());

  const define = (schema: Schema) => api.create(CRDS, widgetDefinition(schema));
  const change = (spec: object) => api.call('PATCH', `${WIDGETS}/w`, { spec }, MERGE);

  /** What is said of it; empty: it is taken. */
  async function said(spec: object): Promise<string> {
    const { status, body } = await api.call('POST', WIDGETS, widget(spec));
    if (status === 201) {
      await api.call('DELETE', `${WIDGETS}/w`);
      return '';
    }
    expect(status).to.equal(422);
    return body.message;
  }

  it('are evaluated where they stand, and name the place and what is wrong', async () => {
    const items = ruled(text(10), { rule: "!self.contains('b')", message: ' no b here ' }, { rule: 'self.size() > 1' });
    await define(
      withSpec({
        type: 'object',
        properties: {
          list: { type: 'array', maxItems: 4, items },
          map: { type: 'object', maxProperties: 4, additionalProperties: items },
          least: { type: 'integer' },
          most: { type: 'integer' },
        },
        'x-kubernetes-validations': [
          {
            rule: '!has(self.least) || !has(self.most) || self.least <= self.most',
            message: 'least is more than most',
          },
        ],
      }),
    );
    expect(await said({ list: ['ac', 'cc'], map: { x: 'dd' }, least: 1, most: 2 })).to.equal('');
    expect(await said({ least: 2 })).to.equal('');
    const wrong = 'Widget.example.com "w" is invalid: ';
    expect(await said({ least: 2, most: 1 })).to.equal(
      `${wrong}spec: Invalid value: "object": least is more than most`,
    );
    expect(await said({ list: ['aa', 'bb'] })).to.equal(`${wrong}spec.list[1]: Invalid value: "string": no b here`);
    expect(await said({ map: { x: 'b', y: 'ok' } })).to.equal(
      `${wrong}[spec.map[x]: Invalid value: "string": no b here, spec.map[x]: Invalid value: "string": failed rule: self.size() > 1]`,
    );
  });

  it('see the name of the object at its root', async () => {
    await define({
      ...withSpec({ type: 'object', properties: {} }),
      'x-kubernetes-validations': [{ rule: 'self.metadata.name.size() <= 3', message: 'too long a name' }],
    });
    expect(await said({})).to.equal('');
    const { body } = await api.call('POST', WIDGETS, widget({}, 'long-name'));
    expect(body.message).to.include('<nil>: Invalid value: "object": too long a name');
  });

  it('with oldSelf are about changes', async () => {
    const rules = [{ rule: 'self >= oldSelf', message: 'must not shrink' }];
    await define(
      withSpec({
        type: 'object',
        properties: {
          size: ruled({ type: 'integer' }, ...rules),
          parts: {
            type: 'array',
            maxItems: 5,
            'x-kubernetes-list-type': 'map',
            'x-kubernetes-list-map-keys': ['name'],
            items: {
              type: 'object',
              required: ['name'],
              properties: { name: text(5), size: ruled({ type: 'integer' }, ...rules) },
            },
          },
        },
      }),
    );
    await api.create(WIDGETS, widget({ size: 3, parts: [{ name: 'a', size: 5 }] }));
    expect((await change({ size: 4 })).status).to.equal(200);
    expect((await change({ size: 3 })).body.message).to.include('spec.size: Invalid value: "integer": must not shrink');
    const moved = [
      { name: 'b', size: 1 },
      { name: 'a', size: 4 },
    ];
    expect((await change({ parts: moved })).body.details.causes).to.deep.equal([
      {
        reason: 'FieldValueInvalid',
        message: 'Invalid value: "integer": must not shrink',
        field: 'spec.parts[1].size',
      },
    ]);
  });

  it('leave alone what was so before, and is not touched', async () => {
    const old = withSpec({ type: 'object', properties: { name: text(9), other: text(9) } });
    await define(old);
    await api.create(WIDGETS, widget({ name: 'bad' }));
    const properties = { name: ruled(text(9), { rule: "self != 'bad'" }), other: text(9) };
    const { spec } = widgetDefinition(withSpec({ type: 'object', properties }));
    await api.call('PATCH', `${CRDS}/widgets.example.com`, { spec }, MERGE);
    expect((await change({ other: 'x' })).status).to.equal(200);
    const status = await api.call('PATCH', `${WIDGETS}/w/status`, { status: { ready: true } }, MERGE);
    expect(status.status).to.equal(200);
    expect((await change({ name: 'good' })).status).to.equal(200);
    expect((await change({ name: 'bad' })).status).to.equal(422);
  });

  it('are not evaluated of what is not even of its type, which is said', async () => {
    await define(withSpec({ type: 'object', properties: { size: ruled({ type: 'integer' }, { rule: 'self > 1' }) } }));
    const message = await said({ size: 'x' });
    expect(message).to.include('must be of type integer').and.to.include('some validation rules were not checked');
  });

  it('that fail themselves are told as such', async () => {
    const spec: Schema = { type: 'object', properties: { a: { type: 'integer' }, b: { type: 'integer' } } };
    await define(withSpec(ruled(spec, { rule: '10 / self.a > self.b' })));
    expect(await said({ a: 0, b: 1 })).to.match(
      /spec: Invalid value: "object": .*evaluating rule: 10 \/ self\.a > self\.b/,
    );
  });

  it('may make up their message, choose a reason and a field', async () => {
    const spec: Schema = { type: 'object', properties: { a: { type: 'integer' } } };
    const rule = { rule: 'self.a < 5', messageExpression: "string(self.a) + ' is too much'" };
    await define(withSpec(ruled(spec, { ...rule, reason: 'FieldValueForbidden', fieldPath: '.a' })));
    expect(await said({ a: 7 })).to.include('spec.a: Forbidden: 7 is too much');
  });

  it('reach properties whose names are no words of CEL', async () => {
    const spec: Schema = { type: 'object', properties: { namespace: text(9), 'a-b': text(9) } };
    await define(withSpec(ruled(spec, { rule: 'self.__namespace__ == self.a__dash__b' })));
    expect(await said({ namespace: 'x', 'a-b': 'x' })).to.equal('');
    expect(await said({ namespace: 'x', 'a-b': 'y' })).to.include('failed rule');
  });

  const refused: [string, Schema, RegExp][] = [
    [
      'do not parse',
      ruled(text(9), { rule: 'self ==' }),
      /properties\[spec\]\.x-kubernetes-validations\[0\]\.rule: .*compilation failed/,
    ],
    ['are no question', ruled(text(9), { rule: 'self' }), /must evaluate to a bool/],
    ['compare what cannot be', ruled(text(9), { rule: 'self > 1' }), /compilation failed/],
    [
      'name a property that is not there',
      ruled({ type: 'object', properties: { a: text(9) } }, { rule: 'has(self.b)' }),
      /undefined field 'b'/,
    ],
    ['call what there is not', ruled(text(9), { rule: 'isIP(self)' }), /compilation failed/],
    [
      'have patterns that RE2 does not know',
      ruled(text(9), { rule: "self.matches('(?!a)b')" }),
      /error parsing regexp/,
    ],
    [
      'ask for the old one of what has no old one',
      { type: 'array', maxItems: 3, items: ruled(text(9), { rule: 'self == oldSelf' }) },
      /oldSelf cannot be used on the uncorrelatable portion of the schema within spec\.versions\[0\]/,
    ],
    [
      'might cost too much',
      { type: 'array', items: ruled(text(100), { rule: "self.matches('^[a-z]+(-[a-z]+)*$')" }) },
      /Forbidden: estimated rule cost exceeds budget by factor of 2\d\.\dx \(try simplifying/,
    ],
    [
      'might cost too much together',
      {
        type: 'object',
        properties: Object.fromEntries(
          [...Array(30).keys()].map((n) => [
            `p${n}`,
            { type: 'array', items: ruled({ type: 'string', maxLength: 2 }, { rule: "self == 'ab' || self == 'cd'" }) },
          ]),
        ),
      },
      /estimated rule cost total for entire OpenAPIv3 schema exceeds budget by factor of/,
    ],
  ];
  for (const [what, spec, message] of refused) {
    it(`are refused when they ${what}`, async () => {
      const { status, body } = await api.call('POST', CRDS, widgetDefinition(withSpec(spec)));
      expect([status, body.reason]).to.deep.equal([422, 'Invalid']);
      expect(body.message).to.match(message);
    });
  }
});
