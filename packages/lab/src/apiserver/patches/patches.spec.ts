import { expect } from 'chai';
import { ApiError } from '../errors.js';
import type { JsonObject } from '../types.js';
import { applyJsonPatch } from './json-patch.js';
import { applyMergePatch } from './merge-patch.js';
import { applyStrategicMergePatch } from './strategic-merge.js';

describe('JSON patch (RFC 6902)', () => {
  const cases: [string, unknown, unknown[], unknown][] = [
    ['adds a member', { foo: 'bar' }, [{ op: 'add', path: '/baz', value: 'qux' }], { foo: 'bar', baz: 'qux' }],
    ['adds an element', { a: [1, 3] }, [{ op: 'add', path: '/a/1', value: 2 }], { a: [1, 2, 3] }],
    ['adds at the end', { a: [1] }, [{ op: 'add', path: '/a/-', value: [2] }], { a: [1, [2]] }],
    ['removes a member', { a: 1, b: 2 }, [{ op: 'remove', path: '/b' }], { a: 1 }],
    ['removes an element', { a: [1, 2, 3] }, [{ op: 'remove', path: '/a/1' }], { a: [1, 3] }],
    ['replaces a value', { a: { b: 1 } }, [{ op: 'replace', path: '/a/b', value: null }], { a: { b: null } }],
    ['replaces the whole', { a: 1 }, [{ op: 'replace', path: '', value: { b: 2 } }], { b: 2 }],
    ['moves a value', { a: { x: 1 }, b: {} }, [{ op: 'move', from: '/a/x', path: '/b/y' }], { a: {}, b: { y: 1 } }],
    ['copies a value', { a: { x: [1] } }, [{ op: 'copy', from: '/a', path: '/b' }], { a: { x: [1] }, b: { x: [1] } }],
    [
      'unescapes names',
      { 'a/b': 1, 'm~n': 2 },
      [
        { op: 'remove', path: '/a~1b' },
        { op: 'replace', path: '/m~0n', value: 3 },
      ],
      { 'm~n': 3 },
    ],
    [
      'goes on after a test that holds',
      { a: [1, { b: 2 }] },
      [
        { op: 'test', path: '/a', value: [1, { b: 2 }] },
        { op: 'remove', path: '/a' },
      ],
      {},
    ],
  ];
  for (const [name, document, patch, expected] of cases) {
    it(name, () => {
      const before = structuredClone(document);
      expect(applyJsonPatch(document, patch)).to.deep.equal(expected);
      expect(document).to.deep.equal(before);
    });
  }

  const refused: [string, unknown, number][] = [
    ['a test that fails', [{ op: 'test', path: '/a', value: 2 }], 422],
    ['removal of what is not there', [{ op: 'remove', path: '/x' }], 422],
    ['replacement of what is not there', [{ op: 'replace', path: '/x', value: 1 }], 422],
    ['a place in nothing', [{ op: 'add', path: '/x/y', value: 1 }], 422],
    ['an index behind the end', [{ op: 'add', path: '/list/2', value: 1 }], 422],
    ['an operation that does not exist', [{ op: 'append', path: '/a', value: 1 }], 400],
    ['a missing value', [{ op: 'add', path: '/a' }], 400],
    ['a path that is none', [{ op: 'remove', path: 'a' }], 400],
    ['a patch that is no list', { a: 1 }, 400],
  ];
  for (const [name, patch, code] of refused) {
    it(`refuses ${name} with ${code}`, () => {
      expect(() => applyJsonPatch({ a: 1, list: [1] }, patch))
        .to.throw(ApiError)
        .with.property('code', code);
    });
  }
});

describe('JSON merge patch (RFC 7386, appendix A)', () => {
  const cases: [unknown, unknown, unknown][] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  for (const [document, patch, expected] of cases) {
    it(`${JSON.stringify(document)} with ${JSON.stringify(patch)} is ${JSON.stringify(expected)}`, () => {
      const before = structuredClone(document);
      expect(applyMergePatch(document, patch)).to.deep.equal(expected);
      expect(document).to.deep.equal(before);
    });
  }
});

describe('strategic merge patch', () => {
  const service = (ports: unknown, more: JsonObject = {}): JsonObject => ({ spec: { ports, ...more } });
  const http = { name: 'http', port: 80 };
  const https = { name: 'https', port: 443 };

  const cases: [string, string, JsonObject, JsonObject, unknown][] = [
    [
      'merges the element with the same key',
      'Service',
      service([http, https]),
      service([{ port: 443, targetPort: 8443 }]),
      service([http, { ...https, targetPort: 8443 }]),
    ],
    [
      'puts a new element before those that it does not name',
      'Service',
      service([http]),
      service([https]),
      service([https, http]),
    ],
    [
      'puts elements in the order that is asked for',
      'Service',
      service([http, https]),
      service([{ port: 8080 }], { '$setElementOrder/ports': [{ port: 443 }, { port: 8080 }, { port: 80 }] }),
      service([https, { port: 8080 }, http]),
    ],
    [
      'orders a list without changing it',
      'Service',
      service([http, https]),
      { spec: { '$setElementOrder/ports': [{ port: 443 }, { port: 80 }] } },
      service([https, http]),
    ],
    [
      'deletes an element',
      'Service',
      service([http, https]),
      service([{ port: 80, $patch: 'delete' }]),
      service([https]),
    ],
    [
      'replaces a list',
      'Service',
      service([http, https]),
      service([{ $patch: 'replace' }, { port: 1 }]),
      service([{ port: 1 }]),
    ],
    [
      'replaces a list that has no key',
      'Service',
      { spec: { loadBalancerSourceRanges: ['10.0.0.0/8'] } },
      { spec: { loadBalancerSourceRanges: ['192.168.0.0/16'] } },
      { spec: { loadBalancerSourceRanges: ['192.168.0.0/16'] } },
    ],
    [
      'replaces the ingress of a load balancer',
      'Service',
      { status: { loadBalancer: { ingress: [{ ip: '10.0.0.1' }] } } },
      { status: { loadBalancer: { ingress: [{ ip: '10.0.0.2' }] } } },
      { status: { loadBalancer: { ingress: [{ ip: '10.0.0.2' }] } } },
    ],
    ['removes with null', 'Service', { spec: { a: 1, b: 2 } }, { spec: { a: null } }, { spec: { b: 2 } }],
    [
      'replaces an object',
      'Service',
      { spec: { selector: { a: 'b' } } },
      { spec: { selector: { $patch: 'replace', c: 'd' } } },
      { spec: { selector: { c: 'd' } } },
    ],
    [
      'adds to and takes from a set of scalars',
      'Service',
      { metadata: { finalizers: ['a', 'b'] } },
      { metadata: { finalizers: ['c'], '$deleteFromPrimitiveList/finalizers': ['a'] } },
      { metadata: { finalizers: ['c', 'b'] } },
    ],
    [
      'merges conditions by type',
      'Node',
      {
        status: {
          conditions: [
            { type: 'Ready', status: 'True' },
            { type: 'DiskPressure', status: 'False' },
          ],
        },
      },
      { status: { conditions: [{ type: 'Ready', status: 'False' }] } },
      {
        status: {
          conditions: [
            { type: 'Ready', status: 'False' },
            { type: 'DiskPressure', status: 'False' },
          ],
        },
      },
    ],
    [
      'merges containers and their ports and variables',
      'Deployment',
      {
        spec: {
          template: {
            spec: { containers: [{ name: 'a', image: '1', env: [{ name: 'X', value: 'x' }] }, { name: 'b' }] },
          },
        },
      },
      { spec: { template: { spec: { containers: [{ name: 'a', image: '2', env: [{ name: 'Y', value: 'y' }] }] } } } },
      {
        spec: {
          template: {
            spec: {
              containers: [
                {
                  name: 'a',
                  image: '2',
                  env: [
                    { name: 'Y', value: 'y' },
                    { name: 'X', value: 'x' },
                  ],
                },
                { name: 'b' },
              ],
            },
          },
        },
      },
    ],
    [
      'keeps only the keys that are named',
      'Deployment',
      { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } },
      { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } },
      { spec: { strategy: { type: 'Recreate' } } },
    ],
  ];
  for (const [name, type, document, patch, expected] of cases) {
    it(name, () => {
      const before = structuredClone(document);
      expect(applyStrategicMergePatch(document, patch, type)).to.deep.equal(expected);
      expect(document).to.deep.equal(before);
    });
  }

  it('refuses an element without its key', () => {
    expect(() => applyStrategicMergePatch(service([http]), service([{ name: 'x' }]), 'Service')).to.throw(
      ApiError,
      'does not contain declared merge key: port',
    );
  });

  it('refuses a directive that it does not know', () => {
    expect(() => applyStrategicMergePatch({}, { spec: { $patch: 'destroy' } }, 'Service')).to.throw(
      ApiError,
      /unknown patch directive/,
    );
  });
});
