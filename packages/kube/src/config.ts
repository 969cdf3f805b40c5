/** Where the API server is and how to authenticate: from a flag, a kubeconfig, or the Pod this process runs in. */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { KubeError } from './error.js';

export interface ClientConfig {
  /** `https://host:port` (or http). */
  server: string;
  /** PEM. */
  ca?: string | Buffer;
  caFile?: string;
  clientCert?: string | Buffer;
  clientCertFile?: string;
  clientKey?: string | Buffer;
  clientKeyFile?: string;
  serverName?: string;
  insecureSkipTlsVerify?: boolean;
  /** Bearer token, asked for on every request. */
  token?: () => Promise<string | undefined> | string | undefined;
  /** A whole Authorization header, for what is not a bearer token; wins over `token`. */
  authorization?: () => Promise<string | undefined> | string | undefined;
  /** Unix socket to connect to instead of the server's host; plain HTTP. */
  socketPath?: string;
  userAgent?: string;
  /** Namespace that the configuration names, if any. */
  namespace?: string;
  /** Deadline of a request that does not name its own. */
  timeoutMs?: number;
  /** Connections that requests share; watches have their own. */
  maxConnections?: number;
}

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
/** The kubelet replaces a token long before it expires; re-reading a small file this often costs nothing. */
const TOKEN_MAX_AGE_MS = 10_000;

/** Does this process run in a Pod with a service account? */
export function isInCluster(env: NodeJS.ProcessEnv = process.env): boolean {
  return Boolean(env.KUBERNETES_SERVICE_HOST && env.KUBERNETES_SERVICE_PORT);
}

/**
 * The configuration of a Pod: API server from the environment, token and CA from files that are read again as they
 * are rotated.
 * @throws KubeError FL_KUBE_CONFIG outside of a Pod
 */
export function inClusterConfig(options: { env?: NodeJS.ProcessEnv; directory?: string } = {}): ClientConfig {
  const env = options.env ?? process.env;
  const directory = options.directory ?? SERVICE_ACCOUNT;
  const host = env.KUBERNETES_SERVICE_HOST;
  const port = env.KUBERNETES_SERVICE_PORT;
  if (!host || !port) {
    throw configError('not in a Pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set');
  }
  const config: ClientConfig = {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    caFile: join(directory, 'ca.crt'),
    token: tokenFile(join(directory, 'token')),
  };
  const namespace = readIfThere(join(directory, 'namespace'));
  if (namespace) config.namespace = namespace.trim();
  return config;
}

/**
 * A token that lives in a file and is replaced there from time to time.
 * Once read, an unreadable file does not fail requests: the old token is sent until the server refuses it.
 * @param now monotonic ms
 */
export function tokenFile(path: string, now: () => number = () => performance.now()): () => Promise<string> {
  let token: string | undefined;
  let readAt = 0;
  return async () => {
    if (token !== undefined && now() - readAt < TOKEN_MAX_AGE_MS) return token;
    try {
      token = (await readFile(path, 'utf8')).trim();
      readAt = now();
    } catch (cause) {
      if (token === undefined) throw configError(`cannot read the service account token: ${errorText(cause)}`, cause);
    }
    return token;
  };
}

/**
 * The current context of a kubeconfig, with whatever kind of user it has (certificates, token, exec plugin, OIDC).
 * Loads `@kubernetes/client-node`, which takes 0.4 s and 70 MB: daemons in a Pod never come here.
 */
export async function loadKubeconfig(path: string): Promise<ClientConfig> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const kubeConfig = new KubeConfig();
  try {
    kubeConfig.loadFromFile(path);
  } catch (cause) {
    // What client-node stumbles over in a file that is empty, or is about something else.
    const why = cause instanceof TypeError ? 'it is no kubeconfig (no clusters, users and contexts)' : errorText(cause);
    throw configError(`cannot load the kubeconfig ${path}: ${why}`, cause);
  }
  const cluster = kubeConfig.getCurrentCluster();
  if (!cluster) {
    const context = kubeConfig.getCurrentContext();
    throw configError(
      `the kubeconfig ${path} has no cluster for its current context "${context}"; set current-context`,
    );
  }
  const tls = await requestOptions();
  const config: ClientConfig = {
    server: cluster.server,
    authorization: async () => {
      const { headers, auth } = await requestOptions();
      return headers.Authorization ?? (auth ? `Basic ${Buffer.from(auth).toString('base64')}` : undefined);
    },
  };
  if (tls.ca) config.ca = tls.ca;
  if (tls.cert) config.clientCert = tls.cert;
  if (tls.key) config.clientKey = tls.key;
  if (cluster.tlsServerName) config.serverName = cluster.tlsServerName;
  if (cluster.skipTLSVerify) config.insecureSkipTlsVerify = true;
  const namespace = kubeConfig.getContextObject(kubeConfig.getCurrentContext())?.namespace;
  if (namespace) config.namespace = namespace;
  return config;

  async function requestOptions(): Promise<RequestOptions> {
    const options: RequestOptions = { headers: {} };
    try {
      await kubeConfig.applyToHTTPSOptions(options as Parameters<typeof kubeConfig.applyToHTTPSOptions>[0]);
    } catch (cause) {
      throw configError(`cannot get credentials from the kubeconfig ${path}: ${errorText(cause)}`, cause);
    }
    return options;
  }
}

/** What client-node fills in. */
interface RequestOptions {
  headers: { Authorization?: string };
  auth?: string;
  ca?: string | Buffer;
  cert?: string | Buffer;
  key?: string | Buffer;
}

/**
 * The configuration to use, in this order: `server` (a URL, or `unix:///path` for a unix socket), `kubeconfig` (a file),
 * the Pod's, `$KUBECONFIG`, `~/.kube/config`.
 */
export async function resolveConfig(
  options: { server?: string | undefined; kubeconfig?: string | undefined } = {},
  env: NodeJS.ProcessEnv = process.env,
): Promise<ClientConfig> {
  if (options.server) return serverConfig(options.server);
  if (options.kubeconfig) return loadKubeconfig(options.kubeconfig);
  if (isInCluster(env)) return inClusterConfig({ env });
  const file = env.KUBECONFIG?.split(':').find((path) => path !== '') ?? join(env.HOME ?? homedir(), '.kube', 'config');
  return loadKubeconfig(file);
}

function serverConfig(server: string): ClientConfig {
  const unix = /^unix:(?:\/\/)?(\/.+)$/.exec(server);
  if (unix) return { server: 'http://localhost', socketPath: unix[1]! };
  if (!URL.canParse(server) || !/^https?:$/.test(new URL(server).protocol)) {
    throw configError(`"${server}" is not the URL of an API server; write https://HOST:PORT or unix:///PATH`);
  }
  return { server: server.replace(/\/+$/, '') };
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw configError(`cannot read ${path}: ${errorText(error)}`, error);
  }
}

function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function configError(message: string, cause?: unknown): KubeError {
  return new KubeError({ code: 'FL_KUBE_CONFIG', message, ...(cause === undefined ? {} : { cause }) });
}
