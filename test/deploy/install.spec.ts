import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { DEFAULT_ANNOUNCEMENT, parseAddressPool } from '@fairlead/api';
import { expect } from 'chai';
import { Cluster } from '../kubectl/cluster.js';

const root = new URL('../../../', import.meta.url); // from test/dist/deploy/
const deploy = fileURLToPath(new URL('deploy/', root));
const cli = fileURLToPath(new URL('packages/cli/dist/main.js', root));

const OBJECTS = [
  'clusterrole.rbac.authorization.k8s.io/fairlead-controller',
  'clusterrole.rbac.authorization.k8s.io/fairlead-speaker',
  'clusterrolebinding.rbac.authorization.k8s.io/fairlead-controller',
  'clusterrolebinding.rbac.authorization.k8s.io/fairlead-speaker',
  'customresourcedefinition.apiextensions.k8s.io/addresspools.fairlead.dev',
  'daemonset.apps/fairlead-speaker',
  'deployment.apps/fairlead-controller',
  'namespace/fairlead-system',
  'role.rbac.authorization.k8s.io/fairlead-controller',
  'role.rbac.authorization.k8s.io/fairlead-speaker',
  'rolebinding.rbac.authorization.k8s.io/fairlead-controller',
  'rolebinding.rbac.authorization.k8s.io/fairlead-speaker',
  'serviceaccount/fairlead-controller',
  'serviceaccount/fairlead-speaker',
];

describe('deploy/', () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await Cluster.start();
    await cluster.run(['apply', '--validate=strict', '-k', deploy]);
  });
  after(() => cluster.stop());

  it('installs these objects and no others, and changes nothing when it is applied again', async () => {
    const again = await cluster.run(['apply', '--validate=strict', '-k', deploy]);
    expect(again.trim().split('\n').sort()).to.deep.equal(OBJECTS.map((name) => `${name} unchanged`));
  });

  it('has no field that the API server does not know', async () => {
    const text = await readFile(`${deploy}controller.yaml`, 'utf8');
    const misspelt = text.replace('replicas: 2', 'replicaz: 2');
    expect(await cluster.fail(['apply', '--validate=strict', '-f', '-'], misspelt), 'strict really is strict').to.match(
      /unknown field "spec\.replicaz"/,
    );
    for (const file of ['examples/pool.yaml', 'examples/service.yaml']) {
      await cluster.run(['apply', '--validate=strict', '--dry-run=server', '-f', deploy + file]);
    }
  });

  it('runs the controller twice, without any privilege', async () => {
    const { spec } = await cluster.object('deploy', 'fairlead-controller', '-n', 'fairlead-system');
    const [container] = spec.template.spec.containers;
    expect(spec.replicas).to.equal(2);
    expect(spec.template.spec.securityContext).to.deep.include({ runAsNonRoot: true });
    expect(container.securityContext).to.deep.equal({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
  });

  it('runs a speaker on every node, in its network, with a director that outlives it', async () => {
    const { spec } = await cluster.object('ds', 'fairlead-speaker', '-n', 'fairlead-system');
    const pod = spec.template.spec;
    const [container] = pod.containers;
    expect(pod).to.deep.include({ hostNetwork: true, tolerations: [{ operator: 'Exists' }] });
    expect(container.securityContext.capabilities.add).to.deep.equal(['NET_ADMIN', 'NET_RAW', 'SYS_ADMIN', 'SYS_NICE']);
    expect(container.volumeMounts).to.deep.include.members([
      { name: 'netns', mountPath: '/run/netns', mountPropagation: 'Bidirectional' },
      { name: 'modules', mountPath: '/lib/modules', readOnly: true },
    ]);
    // The API server refuses such a mount to a container that is not privileged.
    expect(container.securityContext.privileged).to.equal(true);
    expect(container.env[0].valueFrom.fieldRef.fieldPath).to.equal('spec.nodeName');
  });

  it('starts both with options that the command has, from an image of its version', async () => {
    const { version } = JSON.parse(await readFile(new URL('packages/cli/package.json', root), 'utf8'));
    for (const kind of ['deploy', 'ds']) {
      const { items } = await cluster.object(kind, '-n', 'fairlead-system');
      const [{ image, command, args }] = items[0].spec.template.spec.containers;
      expect(image).to.equal(`fairlead/fairlead:${version}`);
      expect(command).to.deep.equal(['fairlead']);
      const [subcommand, ...options] = args as string[];
      const { stdout } = await promisify(execFile)(process.execPath, [cli, subcommand!, '--help']);
      for (const option of options.filter((each) => each.startsWith('--'))) expect(stdout).to.include(`${option} `);
    }
  });

  describe('the schema of AddressPool', () => {
    const pool = (spec: string, name = 'trial') =>
      `{apiVersion: fairlead.dev/v1alpha1, kind: AddressPool, metadata: {name: ${name}}, spec: ${spec}}`;
    const check = ['apply', '--dry-run=server', '-f', '-'];

    it('fills in defaults', async () => {
      const applied = JSON.parse(await cluster.run([...check, '-o', 'json'], pool('{addresses: [192.0.2.0/28]}')));
      expect(applied.spec).to.deep.equal({
        addresses: ['192.0.2.0/28'],
        avoidBuggyAddresses: false,
        autoAssign: true,
        priority: 0,
        sharing: 'SameNamespace',
        reusePolicy: 'LowestFirst',
        reclaim: false,
        virtualRouters: 8,
        election: 'lease',
        preempt: false,
      });
    });

    it('fills in the defaults of announcing where some of it is said', async () => {
      const spec = "{addresses: ['192.0.2.0/28'], announcement: {refreshSeconds: 0}}";
      const applied = JSON.parse(await cluster.run([...check, '-o', 'json'], pool(spec)));
      expect(applied.spec.announcement).to.deep.equal({ ...DEFAULT_ANNOUNCEMENT, refreshSeconds: 0 });
    });

    for (const text of [
      '192.0.2.0/28',
      '192.0.2.1-192.0.2.9',
      '192.0.2.1 - 192.0.2.9',
      '2001:db8::/64',
      '::ffff:0.0.0.0/96',
    ]) {
      it(`lets ${text} pass`, async () => {
        await cluster.run(check, pool(`{addresses: ['${text}']}`));
      });
    }

    const refused: [string, string, RegExp][] = [
      ['no addresses', '{}', /spec\.addresses: Required value/],
      ['an empty list', '{addresses: []}', /spec\.addresses: .*should have at least 1 items/],
      ['a name for an address', "{addresses: ['example.org/24']}", /spec\.addresses\[0\]: .*should match/],
      [
        'a single address',
        "{addresses: ['192.0.2.1']}",
        /spec\.addresses\[0\]: .*a single address is written as 192\.0\.2\.9\/32/,
      ],
      [
        'the same entry twice',
        "{addresses: ['192.0.2.0/28', '192.0.2.0/28']}",
        /spec\.addresses\[1\]: Duplicate value/,
      ],
      ['too many virtual routers', "{addresses: ['192.0.2.0/28'], virtualRouters: 65}", /less than or equal to 64/],
      ['a policy that is none', "{addresses: ['192.0.2.0/28'], reusePolicy: Random}", /Unsupported value: "Random"/],
      [
        'a weight of 0',
        "{addresses: ['192.0.2.0/28'], preferredNodes: [{weight: 0, selector: {}}]}",
        /weight.*equal to 1/,
      ],
      ['a name of an interface with a blank', "{addresses: ['192.0.2.0/28'], interfaces: ['a b']}", /interfaces\[0\]/],
      ['a day and more to cool down', "{addresses: ['192.0.2.0/28'], coolDownSeconds: 86401}", /coolDownSeconds/],
      [
        'a form of ARP that is none',
        "{addresses: ['192.0.2.0/28'], announcement: {arpForms: [Probe]}}",
        /arpForms.*Unsupported value: "Probe"/,
      ],
      [
        'a repeat that comes after a minute',
        "{addresses: ['192.0.2.0/28'], announcement: {repeatAfterMilliseconds: [60001]}}",
        /repeatAfterMilliseconds.*less than or equal to 60000/,
      ],
      ['an unknown field', "{addresses: ['192.0.2.0/28'], adresses: []}", /unknown field "spec\.adresses"/],
    ];
    for (const [what, spec, expected] of refused) {
      it(`refuses ${what}`, async () => {
        expect(await cluster.fail(check, pool(spec))).to.match(expected);
      });
    }

    it('takes everything that a pool can say, and Fairlead reads it as it stands there', async () => {
      const everything = await readFile(new URL('test/deploy/everything.yaml', root), 'utf8');
      const applied = JSON.parse(await cluster.run([...check, '-o', 'json'], everything));
      const parsed = parseAddressPool(applied);
      expect(parsed).to.include({ ok: true });
      const fields = Object.keys(await specFields());
      expect(Object.keys(applied.spec), 'the example has every field').to.have.members(fields);
      for (const name of fields.filter((each) => !['addresses', 'excludeAddresses', 'subnets'].includes(each))) {
        expect((parsed as unknown as { pool: Record<string, unknown> }).pool[name], name).to.deep.equal(
          applied.spec[name],
        );
      }
    });

    it('explains every field', async () => {
      const explained = await cluster.run(['explain', 'apool', '--recursive']);
      const names = [...explained.matchAll(/^ {2,}(\w+)\t/gm)].map(([, name]) => name);
      const all = Object.keys(await specFields());
      expect(names).to.include.members([...all, 'inEffect', 'draining', 'coolingDown', 'free']);
      const nested = ['repeatAfterMilliseconds', 'refreshSeconds', 'arpForms'].map((name) => `announcement.${name}`);
      const paths = [...all, ...nested].map((name) => `spec.${name}`);
      for (const field of ['spec', ...paths, 'status.ipv4.free', 'status.coolingDown']) {
        expect(await cluster.run(['explain', `apool.${field}`]), field).to.match(/DESCRIPTION:\n {4}\S.{25}/);
      }
    });

    async function specFields(): Promise<object> {
      const crd = await cluster.object('crd', 'addresspools.fairlead.dev');
      return crd.spec.versions[0].schema.openAPIV3Schema.properties.spec.properties;
    }
  });
});
