import { expect } from 'chai';
import fc from 'fast-check';
import { parseHealthCheck, probeOf } from './check-annotation.js';

describe('the annotation fairlead.dev/health-check', () => {
  for (const [text, check] of [
    ['tcp', { kind: 'tcp' }],
    [' tcp ', { kind: 'tcp' }],
    ['http:/', { kind: 'http', path: '/' }],
    ['http:/healthz?full=1&x=%20', { kind: 'http', path: '/healthz?full=1&x=%20' }],
  ] as const) {
    it(`takes ${JSON.stringify(text)}`, () => {
      expect(parseHealthCheck(text)).to.deep.equal({ ok: true, check });
    });
  }

  for (const text of [
    '',
    'TCP',
    'tcp:80',
    'http',
    'http:',
    'http:healthz',
    'http://example.org/',
    'https:/',
    'http:/a b',
    'http:/a\r\nX: y',
    'http:/ä',
    `http:/${'x'.repeat(1_025)}`,
  ]) {
    it(`refuses ${JSON.stringify(text.slice(0, 30))}, and says what to write`, () => {
      const parsed = parseHealthCheck(text);
      expect(parsed.ok ? '' : parsed.message)
        .to.contain('"tcp" nor "http:/path"')
        .and.have.length.below(400);
    });
  }

  it('never lets anything into a request line that ends it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const parsed = parseHealthCheck(`http:/${text}`);
        if (parsed.ok && parsed.check.kind === 'http') expect(parsed.check.path).to.match(/^[\x21-\x7e]+$/);
      }),
    );
  }).timeout(20_000);

  it('asks a real server by its own address and port', () => {
    expect(probeOf({ kind: 'http', path: '/a' }, { address: '10.244.1.2', port: 8080 })).to.deep.equal({
      kind: 'http',
      address: '10.244.1.2',
      port: 8080,
      path: '/a',
      expect: '2xx-3xx',
    });
  });
});
