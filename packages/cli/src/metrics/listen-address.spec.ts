import { expect } from 'chai';
import { InvalidArgumentError } from 'commander';
import { parseListenAddress } from './listen-address.js';

describe('the address of the metrics', () => {
  for (const [text, parsed] of [
    [':7480', { host: undefined, port: 7480 }],
    ['0.0.0.0:1', { host: '0.0.0.0', port: 1 }],
    ['127.0.0.1:65535', { host: '127.0.0.1', port: 65_535 }],
    ['[::1]:7480', { host: '::1', port: 7480 }],
    [':0', { host: undefined, port: 0 }],
    ['off', undefined],
  ] as const) {
    it(`is read from ${text}`, () => {
      expect(parseListenAddress(text)).to.deep.equal(parsed);
    });
  }

  for (const text of ['', '7480', ':', ':65536', '::1:7480', '[1.2.3.4]:1', 'localhost:1', ':-1', '[]:1', 'OFF']) {
    it(`is refused when it is ${JSON.stringify(text)}`, () => {
      expect(() => parseListenAddress(text)).to.throw(InvalidArgumentError, 'or off');
    });
  }
});
