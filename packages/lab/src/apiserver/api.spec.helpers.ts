/** For specs: an API server on a loopback port, and a client that hides nothing. */
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { createInterface } from 'node:readline';
import { ApiServer, type ApiServerOptions } from './server.js';
import type { JsonObject, KubeObject } from './types.js';

export interface Reply {
  status: number;
  headers: IncomingMessage['headers'];
  body: JsonObject;
}

export interface WatchReply {
  response: IncomingMessage;
  /** The next event; rejects when the stream ends before. */
  next(): Promise<JsonObject>;
  /** All events until the stream ends. */
  rest(): Promise<JsonObject[]>;
  close(): void;
}

export class TestApi {
  private constructor(
    readonly server: ApiServer,
    readonly port: number,
  ) {}

  static async start(options: ApiServerOptions = {}): Promise<TestApi> {
    const server = new ApiServer(options);
    const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
    return new TestApi(server, port!);
  }

  stop(): Promise<void> {
    return this.server.close();
  }

  async call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Reply> {
    const response = await this.#open(method, path, body, headers);
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const json = text.startsWith('{') ? (JSON.parse(text) as JsonObject) : { text };
    return { status: response.statusCode!, headers: response.headers, body: json };
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Reply> {
    return this.call('GET', path, undefined, headers);
  }

  /** Creates an object that has to be accepted. */
  async create(path: string, object: object): Promise<KubeObject> {
    const { status, body } = await this.call('POST', path, object);
    if (status !== 201) throw new Error(`POST ${path}: ${status} ${body.message}`);
    return body as KubeObject;
  }

  async watch(path: string, headers: Record<string, string> = {}): Promise<WatchReply> {
    const response = await this.#open('GET', path, undefined, headers);
    const lines = createInterface({ input: response })[Symbol.asyncIterator]();
    const read = async (): Promise<JsonObject | undefined> => {
      const { value, done } = await lines.next();
      return done ? undefined : (JSON.parse(value) as JsonObject);
    };
    return {
      response,
      async next() {
        const event = await read();
        if (!event) throw new Error(`watch ${path} ended`);
        return event;
      },
      async rest() {
        const events: JsonObject[] = [];
        for (let event = await read(); event; event = await read()) events.push(event);
        return events;
      },
      close: () => response.destroy(),
    };
  }

  #open(method: string, path: string, body: unknown, headers: Record<string, string>): Promise<IncomingMessage> {
    const bytes = body === undefined ? undefined : Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
    const length = bytes === undefined ? {} : { 'content-length': bytes.length };
    return new Promise((resolve, reject) => {
      const sent: ClientRequest = request(
        {
          port: this.port,
          host: '127.0.0.1',
          method,
          path,
          headers: { 'content-type': 'application/json', ...length, ...headers },
        },
        resolve,
      );
      sent.on('error', reject);
      sent.end(bytes);
    });
  }
}

export const SERVICES = '/api/v1/namespaces/default/services';

export const service = (name: string, spec: object = {}, metadata: object = {}): JsonObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, ...metadata },
  spec: { ports: [{ port: 80 }], ...spec },
});

export const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';

export const configMap = (name: string, data: object = {}, metadata: object = {}): JsonObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...metadata },
  data,
});

/** A definition of Widgets, namespaced, with status; `schema` is that of the root. */
export const widgetDefinition = (schema: object, version: object = {}): JsonObject => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { kind: 'Widget', plural: 'widgets' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: { openAPIV3Schema: schema },
        ...version,
      },
    ],
  },
});

export const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
export const WIDGETS = '/apis/example.com/v1/namespaces/default/widgets';
