import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { expect } from 'chai';
import { KubeClient } from '../client.js';
import type { ClientConfig } from '../config.js';
import { nodes } from '../resources.js';
import { type Certificate, selfSigned } from './certificate.spec.helpers.js';

describe('KubeClient over TLS', () => {
  const one = selfSigned('one');
  const other = selfSigned('other');
  let directory: string;
  let server: Server;
  let client: KubeClient;
  let connections: number;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'fl-kube-'));
    await listen(one);
  });

  afterEach(async () => {
    await client.close();
    await close();
    await rm(directory, { recursive: true });
  });

  async function listen({ cert, key }: Certificate, port = 0): Promise<void> {
    connections = 0;
    // Client certificates are asked for and told, not verified.
    server = createServer({ cert, key, requestCert: true, rejectUnauthorized: false }, (request, response) => {
      const peer = (request.socket as TLSSocket).getPeerCertificate();
      response.end(JSON.stringify({ metadata: { name: peer.subject?.CN ?? 'nobody' } }));
    });
    server.on('secureConnection', () => connections++);
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  }

  async function close(): Promise<void> {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }

  const port = () => (server.address() as AddressInfo).port;

  function connect(config: Partial<ClientConfig>): void {
    client = new KubeClient({ server: `https://127.0.0.1:${port()}`, ...config });
  }

  const ask = async () => (await client.get(nodes, { name: 'x' })).metadata?.name;
  const askInVain = () => ask().then(String, (error) => error.reason);

  it('trusts the CA that it was given, and keeps the connection', async () => {
    connect({ ca: one.cert });
    for (let i = 0; i < 10; i++) expect(await ask()).to.equal('nobody');
    expect(connections).to.be.at.most(2);
  });

  it('does not trust another one', async () => {
    connect({ ca: other.cert });
    expect(await askInVain()).to.equal('DEPTH_ZERO_SELF_SIGNED_CERT');
  });

  it('does, when told not to care', async () => {
    connect({ insecureSkipTlsVerify: true });
    expect(await ask()).to.equal('nobody');
  });

  it('verifies the name that it was told instead of the host', async () => {
    connect({ ca: one.cert, serverName: 'kube.example' });
    expect(await ask()).to.equal('nobody');
    await client.close();
    connect({ ca: one.cert, serverName: 'evil.example' });
    expect(await askInVain()).to.equal('ERR_TLS_CERT_ALTNAME_INVALID');
  });

  it('shows its certificate', async () => {
    connect({ ca: one.cert, clientCert: other.cert, clientKey: other.key });
    expect(await ask()).to.equal('other');
  });

  it('uses a CA file and client certificate that were replaced, without being restarted', async () => {
    const files = {
      caFile: join(directory, 'ca'),
      clientCertFile: join(directory, 'cert'),
      clientKeyFile: join(directory, 'key'),
    };
    await writeFile(files.caFile, one.cert);
    await writeFile(files.clientCertFile, other.cert);
    await writeFile(files.clientKeyFile, other.key);
    connect(files);
    expect(await ask()).to.equal('other');

    const address = port();
    await close();
    await listen(other, address);
    expect(await askInVain()).to.equal('DEPTH_ZERO_SELF_SIGNED_CERT');
    await writeFile(files.caFile, other.cert);
    await writeFile(files.clientCertFile, one.cert);
    await writeFile(files.clientKeyFile, one.key);
    expect(await ask()).to.equal('one');
  });

  it('says which file cannot be read', async () => {
    connect({ caFile: join(directory, 'missing') });
    const error = await client.get(nodes, { name: 'x' }).catch((thrown) => thrown);
    expect(error.code).to.equal('FL_KUBE_CONFIG');
    expect(error.message).to.match(/CA certificate of the API server.*missing/);
  });
});
