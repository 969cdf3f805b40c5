import { expect } from 'chai';
import { ApiError } from '../errors.js';
import { decodeProtobuf } from './protobuf.js';

const varint = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)]);
const field = (number: number, content: Buffer | number | string): Buffer => {
  if (typeof content === 'number') return Buffer.from([...varint(number << 3), ...varint(content)]);
  const bytes = Buffer.from(content);
  return Buffer.concat([Buffer.from([...varint((number << 3) | 2), ...varint(bytes.length)]), bytes]);
};
const message = (...fields: Buffer[]): Buffer => Buffer.concat(fields);
const envelope = (apiVersion: string, kind: string, raw: Buffer): Buffer =>
  message(Buffer.from('k8s\0'), field(1, message(field(1, apiVersion), field(2, kind))), field(2, raw));

describe('Kubernetes protobuf', () => {
  it('is read as the same object in JSON, empty fields left out', () => {
    const metadata = message(
      field(1, 'web'),
      field(2, ''),
      field(4, ''),
      field(7, 0),
      field(8, message()),
      field(11, message(field(1, 'app'), field(2, 'web'))),
      field(11, message(field(1, 'tier'), field(2, 'front'))),
    );
    const port = message(
      field(1, '80-8080'),
      field(2, 'TCP'),
      field(3, 80),
      field(4, message(field(1, 0), field(2, 8080))),
      field(5, 30080),
    );
    const named = message(field(3, 81), field(4, message(field(1, 1), field(2, 0), field(3, 'http'))), field(5, 0));
    const spec = message(field(1, port), field(1, named), field(4, 'NodePort'), field(12, 0), field(20, 0));
    const body = envelope(
      'v1',
      'Service',
      message(field(1, metadata), field(2, spec), field(3, message(field(1, message())))),
    );
    expect(decodeProtobuf(body)).to.deep.equal({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', labels: { app: 'web', tier: 'front' } },
      spec: {
        type: 'NodePort',
        allocateLoadBalancerNodePorts: false,
        ports: [
          { name: '80-8080', protocol: 'TCP', port: 80, targetPort: 8080, nodePort: 30080 },
          { port: 81, targetPort: 'http' },
        ],
      },
    });
  });

  it('gives bytes as base64, and times as text', () => {
    const metadata = message(field(1, 's'), field(8, message(field(1, 1_767_225_600))));
    const data = message(field(1, 'key'), field(2, Buffer.from([0, 255])));
    expect(decodeProtobuf(envelope('v1', 'Secret', message(field(1, metadata), field(2, data))))).to.deep.equal({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 's', creationTimestamp: '2026-01-01T00:00:00Z' },
      data: { key: 'AP8=' },
    });
  });

  const refused: [string, Buffer, number, RegExp][] = [
    ['something else', Buffer.from('{}'), 400, /no Kubernetes protobuf/],
    ['a kind without a table', envelope('v1', 'Node', message()), 415, /protobuf of Node/],
    ['a field without a name', envelope('v1', 'Namespace', message(field(99, 'x'))), 400, /has field 99 of Namespace/],
    [
      'a message that is cut off',
      envelope('v1', 'Namespace', message(field(1, message(field(1, 'long name'))).subarray(0, 5))),
      400,
      /ends in the middle/,
    ],
    [
      'a number for text',
      envelope('v1', 'Namespace', message(field(1, message(field(1, 5))))),
      400,
      /should not be a number/,
    ],
  ];
  for (const [name, body, code, text] of refused) {
    it(`refuses ${name}`, () => {
      expect(() => decodeProtobuf(body))
        .to.throw(ApiError, text)
        .with.property('code', code);
    });
  }
});
