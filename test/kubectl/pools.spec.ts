/** AddressPools by kubectl, with the CRD that is installed on clusters: what is refused at once, and in which words. */
import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { newApiServer, type TestServer } from '../controller/api-server.js';
import { Cluster } from './cluster.js';

const crd = new URL('../../../deploy/crd.yaml', import.meta.url); // from test/dist/kubectl/

const pool = (spec: object, name = 'public'): string =>
  JSON.stringify({ apiVersion: 'fairlead.dev/v1alpha1', kind: 'AddressPool', metadata: { name }, spec });

describe('kubectl and AddressPools', function () {
  this.timeout(120_000); // kubectl is a process for each command, and this machine may be busy
  let cluster: Cluster<TestServer>;
  before(async () => {
    cluster = await Cluster.around(await newApiServer());
    await cluster.run(['apply', '-f', '-'], await readFile(crd, 'utf8'));
  });
  after(() => cluster.stop());

  for (const [what, spec, text] of [
    [
      'a number that no IPv4 address has',
      { addresses: ['192.0.2.0/28', '192.0.2.300-192.0.2.301'] },
      'The AddressPool "public" is invalid: spec.addresses[1]: Invalid value: "string": a part of an IPv4 address is greater than 255\n',
    ],
    [
      'a prefix that no IPv6 network has',
      { addresses: ['2001:db8::/129'] },
      'spec.addresses[0]: Invalid value: "string": the prefix length of an IPv6 CIDR is at most 128',
    ],
    [
      'a range from one family to the other',
      { addresses: ['192.0.2.1-2001:db8::1'], excludeAddresses: ['192.0.2.0/33'] },
      'spec.excludeAddresses[0]: Invalid value: "string": the prefix length of an IPv4 CIDR is at most 32',
    ],
    [
      'a selector without values',
      { addresses: ['192.0.2.0/28'], namespaceSelector: { matchExpressions: [{ key: 'team', operator: 'In' }] } },
      'spec.namespaceSelector.matchExpressions[0]: Invalid value: "object": values is a list for In and NotIn',
    ],
    [
      'words instead of addresses',
      { addresses: ['the whole LAN'] },
      'spec.addresses[0]: Invalid value: "the whole LAN": spec.addresses[0] in body should match \'^[0-9A-Fa-f:.]+',
    ],
    [
      'no addresses',
      { addresses: [] },
      'spec.addresses: Invalid value: 0: spec.addresses in body should have at least 1',
    ],
    [
      'too many virtual routers',
      { addresses: ['192.0.2.0/28'], virtualRouters: 65 },
      'spec.virtualRouters in body should be less than or equal to 64',
    ],
    [
      'a word that it does not know',
      { addresses: ['192.0.2.0/28'], election: 'raft' },
      'spec.election: Unsupported value: "raft": supported values: "lease", "vrrp"',
    ],
  ] as [string, object, string][]) {
    it(`refuse ${what}`, async () => {
      expect(await cluster.fail(['apply', '-f', '-'], pool(spec))).to.include(text);
    });
  }

  it('refuse a name that is too long for a label of the virtual routers', async () => {
    const name = 'a'.repeat(61);
    const text = await cluster.fail(['apply', '-f', '-'], pool({ addresses: ['192.0.2.0/28'] }, name));
    expect(text).to.include('the name may have at most 60 characters, because virtual routers are labelled with it');
  });

  it('refuse an edit that makes a good pool bad, which stays as it was', async () => {
    await cluster.run(['apply', '-f', '-'], pool({ addresses: ['192.0.2.0/28'] }));
    const patch = '{"spec":{"addresses":["192.0.2.0/64"]}}';
    const text = await cluster.fail(['patch', 'apool', 'public', '--type=merge', '-p', patch]);
    expect(text).to.include('the prefix length of an IPv4 CIDR is at most 32');
    expect((await cluster.object('apool', 'public')).spec.addresses).to.deep.equal(['192.0.2.0/28']);
  });

  it('explain every field', async () => {
    const lines = (await cluster.run(['explain', 'apool', '--recursive'])).split('\n');
    const start = lines.indexOf('FIELDS:');
    const indentOf = (line: string) => line.length - line.trimStart().length;
    const path: string[] = [];
    const fields = lines.slice(start + 1).flatMap((line) => {
      const [, name] = /^ *([A-Za-z0-9]+)\t</.exec(line) ?? [];
      if (!name) return [];
      path.length = indentOf(line) / 2 - 1;
      path.push(name);
      return path[0] === 'metadata' || path.length === 0 ? [] : [path.join('.')];
    });
    expect(fields).to.include.members(['spec.addresses', 'spec.preferredNodes.weight', 'status.ipv6.free']);
    const missing: string[] = [];
    for (const field of fields) {
      const text = await cluster.run(['explain', `apool.${field}`]);
      const [, description = ''] = /DESCRIPTION:\n([\s\S]*?)(\n\n|\nFIELDS:|$)/.exec(text) ?? [];
      if (!/[a-z]{2}/.test(description.replace('<empty>', ''))) missing.push(field);
    }
    expect(missing).to.deep.equal([]);
  });
});
