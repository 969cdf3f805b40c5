import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { inClusterConfig, loadKubeconfig, resolveConfig, tokenFile } from './config.js';
import { isKubeError } from './error.js';

describe('configuration', () => {
  let directory: string;
  const file = (name: string) => join(directory, name);

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'fl-kube-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  async function failure(promise: Promise<unknown>): Promise<Error & { code?: string }> {
    return promise.then(
      () => expect.fail('succeeded'),
      (error) => error,
    );
  }

  describe('of a Pod', () => {
    const env = { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '443' };

    it('comes from the environment and the service account', async () => {
      await writeFile(file('token'), 'secret\n');
      await writeFile(file('namespace'), 'fairlead-system');
      const config = inClusterConfig({ env, directory });
      expect(config).to.include({
        server: 'https://10.96.0.1:443',
        caFile: file('ca.crt'),
        namespace: 'fairlead-system',
      });
      expect(await config.token?.()).to.equal('secret');
    });

    it('puts an IPv6 address into brackets', () => {
      const config = inClusterConfig({ env: { ...env, KUBERNETES_SERVICE_HOST: 'fd00::1' }, directory });
      expect(config.server).to.equal('https://[fd00::1]:443');
    });

    it('is refused elsewhere', () => {
      expect(() => inClusterConfig({ env: {}, directory }))
        .to.throw(/not in a Pod/)
        .with.property('code', 'FL_KUBE_CONFIG');
    });
  });

  describe('a token file', () => {
    it('is read again when it is older than ten seconds', async () => {
      let now = 0;
      await writeFile(file('token'), 'first');
      const token = tokenFile(file('token'), () => now);
      expect(await token()).to.equal('first');
      await writeFile(file('token'), 'second');
      now = 9_999;
      expect(await token()).to.equal('first');
      now = 10_000;
      expect(await token()).to.equal('second');
    });

    it('that has become unreadable leaves the last token', async () => {
      let now = 0;
      await writeFile(file('token'), 'first');
      const token = tokenFile(file('token'), () => now);
      await token();
      await rm(file('token'));
      now = 60_000;
      expect(await token()).to.equal('first');
    });

    it('that never was there is an error', async () => {
      const error = await failure(tokenFile(file('token'))());
      expect(isKubeError(error, 'FL_KUBE_CONFIG')).to.equal(true);
      expect(error.message).to.contain(file('token'));
    });
  });

  describe('from a kubeconfig', function () {
    // Loading @kubernetes/client-node takes 0.4 s, or ten times that on a small machine.
    this.timeout(30_000);

    async function kubeconfig(
      user: unknown,
      cluster: unknown = { server: 'https://kube.example:6443' },
    ): Promise<string> {
      const content = {
        apiVersion: 'v1',
        kind: 'Config',
        'current-context': 'here',
        contexts: [{ name: 'here', context: { cluster: 'c', user: 'u', namespace: 'ns' } }],
        clusters: [{ name: 'c', cluster }],
        users: [{ name: 'u', user }],
      };
      await writeFile(file('config'), JSON.stringify(content));
      return file('config');
    }

    it('takes server, CA, namespace and certificates', async () => {
      const config = await loadKubeconfig(
        await kubeconfig(
          { 'client-certificate-data': base64('cert'), 'client-key-data': base64('key') },
          {
            server: 'https://kube.example:6443',
            'certificate-authority-data': base64('ca'),
            'tls-server-name': 'other.example',
          },
        ),
      );
      expect(config).to.include({
        server: 'https://kube.example:6443',
        namespace: 'ns',
        serverName: 'other.example',
      });
      expect([config.ca, config.clientCert, config.clientKey].map(String)).to.deep.equal(['ca', 'cert', 'key']);
    });

    it('takes tokens, passwords, and what a plugin says', async () => {
      const plugin = {
        apiVersion: 'client.authentication.k8s.io/v1',
        command: process.execPath,
        args: ['-e', execCredential('from-plugin')],
        interactiveMode: 'Never',
      };
      const users: [unknown, string | undefined][] = [
        [{ token: 'secret' }, 'Bearer secret'],
        [{ username: 'me', password: 'pass' }, `Basic ${base64('me:pass')}`],
        [{ exec: plugin }, 'Bearer from-plugin'],
        [{}, undefined],
      ];
      for (const [user, authorization] of users) {
        const config = await loadKubeconfig(await kubeconfig(user));
        expect(await config.authorization?.()).to.equal(authorization);
      }
    });

    it('says what is wrong with it', async () => {
      await writeFile(file('broken'), '{');
      await writeFile(file('nothing'), '');
      await writeFile(file('empty'), 'apiVersion: v1\nkind: Config\ncurrent-context: nowhere\n');
      for (const [name, text] of [
        ['missing', /cannot load the kubeconfig .*missing/],
        ['broken', /cannot load the kubeconfig .*broken/],
        ['nothing', /cannot load the kubeconfig .*nothing: it is no kubeconfig/],
        ['empty', /no cluster for its current context "nowhere"/],
      ] as const) {
        const error = await failure(loadKubeconfig(file(name)));
        expect(error.message).to.match(text);
        expect(error.code).to.equal('FL_KUBE_CONFIG');
      }
    });

    it('is found by $KUBECONFIG, or at home', async () => {
      const path = await kubeconfig({});
      expect((await resolveConfig({}, { KUBECONFIG: path })).server).to.equal('https://kube.example:6443');
      const error = await failure(resolveConfig({}, { HOME: directory }));
      expect(error.message).to.contain(join(directory, '.kube', 'config'));
    });
  });

  describe('from a flag', () => {
    it('is a URL, or a unix socket', async () => {
      expect(await resolveConfig({ server: 'http://10.0.0.1:8080/' })).to.deep.equal({
        server: 'http://10.0.0.1:8080',
      });
      for (const server of ['unix:///run/api.sock', 'unix:/run/api.sock']) {
        const config = await resolveConfig({ server });
        expect(config).to.deep.equal({ server: 'http://localhost', socketPath: '/run/api.sock' });
      }
    });

    it('is refused when it is something else', async () => {
      for (const server of ['10.0.0.1:6443', 'ftp://kube.example', 'unix:relative']) {
        expect((await failure(resolveConfig({ server }))).code).to.equal('FL_KUBE_CONFIG');
      }
    });

    it('wins over everything else', async () => {
      const config = await resolveConfig(
        { server: 'http://a:1', kubeconfig: '/nowhere' },
        { KUBERNETES_SERVICE_HOST: 'b', KUBERNETES_SERVICE_PORT: '2' },
      );
      expect(config.server).to.equal('http://a:1');
    });
  });
});

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

/** A program that prints an ExecCredential. */
function execCredential(token: string): string {
  const credential = { apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status: { token } };
  return `console.log(${JSON.stringify(JSON.stringify(credential))})`;
}
