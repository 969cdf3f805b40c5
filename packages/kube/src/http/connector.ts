/**
 * How connections to the API server are made: TCP or a unix socket, TLS with credentials that may live in files.
 *
 * Files are read for every new connection (rare: connections are kept alive), so a rotated CA or client certificate
 * is used without a restart. Connections that exist already stay valid, as with every TLS client.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { buildConnector as BuildConnector } from 'undici';
import { KubeError } from '../error.js';

const buildConnector = createRequire(import.meta.url)('undici/lib/core/connect.js') as typeof BuildConnector;

export interface TlsFiles {
  /** PEM; wins over the file. */
  ca?: string | Buffer;
  caFile?: string;
  /** Client certificate and key, PEM. */
  cert?: string | Buffer;
  certFile?: string;
  key?: string | Buffer;
  keyFile?: string;
  /** The name the server's certificate must carry, when it is not the host of the URL. */
  serverName?: string;
  /** Do not verify the server's certificate. */
  insecure?: boolean;
}

export interface ConnectorOptions extends TlsFiles {
  connectTimeoutMs: number;
  socketPath?: string;
}

/** Silence after which the kernel asks the peer whether it is there (10 probes, 1 s apart, set by libuv). */
const KEEP_ALIVE_MS = 15_000;

/** A connect function for undici. */
export function connector(options: ConnectorOptions): BuildConnector.connector {
  let material = '';
  let connect: BuildConnector.connector | undefined;
  return (target, callback) => {
    void (async () => {
      try {
        const tls = await readTls(options);
        // One underlying connector as long as nothing changed: it holds the cache of TLS sessions.
        const current = JSON.stringify([tls.ca, tls.cert, tls.key].map((pem) => pem?.toString()));
        if (!connect || current !== material) {
          material = current;
          connect = buildConnector({
            timeout: options.connectTimeoutMs,
            socketPath: options.socketPath ?? null,
            keepAlive: true,
            keepAliveInitialDelay: KEEP_ALIVE_MS,
            ...tls,
          } as BuildConnector.BuildOptions);
        }
      } catch (error) {
        callback(error as Error, null);
        return;
      }
      connect(target, callback);
    })();
  };
}

interface TlsMaterial {
  ca?: string | Buffer;
  cert?: string | Buffer;
  key?: string | Buffer;
  servername?: string;
  rejectUnauthorized?: boolean;
}

async function readTls(options: ConnectorOptions): Promise<TlsMaterial> {
  const [ca, cert, key] = await Promise.all([
    options.ca ?? readPem(options.caFile, 'the CA certificate of the API server'),
    options.cert ?? readPem(options.certFile, 'the client certificate'),
    options.key ?? readPem(options.keyFile, 'the key of the client certificate'),
  ]);
  const material: TlsMaterial = {};
  // Only what is set: an undefined `ca` would not mean "the system's".
  if (ca !== undefined) material.ca = ca;
  if (cert !== undefined) material.cert = cert;
  if (key !== undefined) material.key = key;
  if (options.serverName !== undefined) material.servername = options.serverName;
  if (options.insecure) material.rejectUnauthorized = false;
  return material;
}

async function readPem(file: string | undefined, what: string): Promise<Buffer | undefined> {
  if (file === undefined) return undefined;
  try {
    return await readFile(file);
  } catch (cause) {
    throw new KubeError({ code: 'FL_KUBE_CONFIG', message: `cannot read ${what}: ${(cause as Error).message}`, cause });
  }
}
