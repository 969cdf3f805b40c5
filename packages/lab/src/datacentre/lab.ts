/** A lab: an embedded data centre on this machine, from `start` to `stop`. */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { KubeClient } from '@fairlead/kube';
import { ControlPlane } from '../control-plane/control-plane.js';
import type { ProxyModeName } from '../node/kube-proxy/mode.js';
import type { ProxyExpectation } from '../node/protocol.js';
import { atExit, type Removable } from './at-exit.js';
import { type HostContext, LabHost } from './host.js';
import { LabError } from './lab-error.js';
import { API_PORT, MANAGEMENT_ADDRESS, MAX_NODES, netnsOf, nodeNames, SERVICE_CIDR } from './names.js';
import { LabNode } from './node.js';
import type { ExecResult, LabProcess } from './process.js';
import { checkMachine, checkNft } from './requirements.js';
import { LabState, removeDeadLabs } from './state.js';
import { makeNetworks, type Networks } from './topology.js';
import type { Uplink } from './uplink.js';

const API_SERVER = fileURLToPath(new URL('../apiserver/main.js', import.meta.url));
const START_TIMEOUT_MS = 300_000; // seconds at most; minutes in an emulated guest on a machine that is busy

export interface LabOptions {
  /** 1 to 80; default 3. */
  nodes?: number;
  /**
   * How long after a node's last sign of life the control plane marks it NotReady and its endpoints unready.
   * Default: 40 s, as in Kubernetes (50 s since 1.32).
   */
  nodeMonitorGraceMs?: number;
  /** How kube-proxy serves NodePorts (`--proxy-mode`); default nftables. The others need iptables, and `ipvs` ip_vs and ipset. */
  proxyMode?: ProxyModeName;
  /** How each node is cabled to the LAN, the first one's first; those that are not named: `plain`. */
  uplinks?: readonly Uplink[];
  /** Hears what is being done, for progress displays. */
  onStep?: (text: string) => void;
  /** Hears what goes wrong in the lab itself (not in what is tested in it). Default: stderr. */
  onError?: (error: Error) => void;
  /** Whether processes write log files into the state directory. Their last output is kept in any case. */
  logs?: boolean;
  /** The kubectl binary; default: $FAIRLEAD_KUBECTL, else `kubectl` on the PATH. */
  kubectl?: string;
}

export class Lab implements Removable {
  /** Names everything that belongs to this lab: network namespaces `fl-<id>-…`, directory /run/fairlead-lab/<id>. */
  readonly id: string;
  readonly directory: string;
  /** For this process, over a unix socket: works whatever happens to the lab's networks. */
  readonly kube: KubeClient;
  /** The API server as seen from the nodes and from `management`. */
  readonly server = `http://${MANAGEMENT_ADDRESS}:${API_PORT}`;
  /** A kubeconfig file for it. */
  readonly kubeconfig: string;
  readonly nodes: readonly LabNode[];
  /** On the LAN. */
  readonly client: LabHost;
  /** Beyond the router. */
  readonly outside: LabHost;
  readonly router: LabHost;
  /** Where the API server runs. */
  readonly management: LabHost;
  /** For further hosts of this lab. */
  readonly hostContext: HostContext;
  readonly #options: LabOptions;
  readonly #state: LabState;
  readonly #networks: Networks;
  readonly #controlPlane: ControlPlane;
  #apiServer: LabProcess | undefined;
  #stopping: Promise<void> | undefined;
  #removed = false;

  /**
   * Makes a data centre and waits until every node is Ready. Removes what labs left whose process was killed.
   * @throws LabError FL_LAB_REQUIREMENTS when this machine cannot have one
   */
  static async start(options: LabOptions = {}): Promise<Lab> {
    const count = options.nodes ?? 3;
    if (!Number.isInteger(count) || count < 1 || count > MAX_NODES) {
      throw new LabError('FL_LAB_ARGUMENT', `a lab has 1 to ${MAX_NODES} nodes, not ${count}`);
    }
    checkMachine();
    for (const dead of removeDeadLabs()) {
      options.onStep?.(`removed lab ${dead.id}, whose process was killed`);
    }
    const lab = new Lab(options, count);
    try {
      await lab.#start();
      return lab;
    } catch (error) {
      await lab.stop();
      throw error;
    }
  }

  private constructor(options: LabOptions, nodeCount: number) {
    this.#options = options;
    this.#state = LabState.create();
    atExit.add(this);
    const { id, directory } = this.#state;
    this.id = id;
    this.directory = directory;
    this.kubeconfig = this.#state.path('kubeconfig');
    this.kube = new KubeClient({
      server: 'http://localhost',
      socketPath: this.#state.path('api.sock'),
      userAgent: 'fairlead-lab',
    });
    try {
      this.#networks = makeNetworks(id);
    } catch (error) {
      this.removeNow();
      throw error;
    }
    const onError = (error: Error) => this.#report(error);
    const { nodeMonitorGraceMs } = options;
    this.#controlPlane = new ControlPlane({
      client: this.kube,
      onError,
      ...(nodeMonitorGraceMs === undefined ? {} : { nodeMonitorGraceMs }),
    });
    const context: HostContext = { state: this.#state, logs: options.logs ?? false };
    this.hostContext = context;
    const host = (name: string, place: Parameters<typeof netnsOf>[1]) => new LabHost(context, name, netnsOf(id, place));
    this.client = host('client', 'client');
    this.outside = host('outside', 'outside');
    this.router = host('router', 'router');
    this.management = host('management', 'mgmt');
    const nodeContext = {
      ...context,
      networks: this.#networks,
      proxyMode: options.proxyMode ?? 'nftables',
      server: this.server,
      contactLost: (name: string) => this.#controlPlane.contactLost(name),
      contactRegained: (name: string) => this.#controlPlane.contactRegained(name),
      onUnexpectedExit: (process: LabProcess) => this.#died(process),
    };
    this.nodes = Array.from({ length: nodeCount }, (_, i) => {
      return new LabNode(nodeContext, nodeNames(id, i + 1), options.uplinks?.[i] ?? 'plain');
    });
  }

  /** The API server's process: freeze it with SIGSTOP to see what a cluster does without one. */
  get apiServer(): LabProcess | undefined {
    return this.#apiServer;
  }

  /** The node with this name. @throws LabError FL_LAB_ARGUMENT */
  node(name: string): LabNode {
    const node = this.nodes.find((candidate) => candidate.name === name);
    if (node !== undefined) return node;
    throw new LabError('FL_LAB_ARGUMENT', `there is no node "${name}": ${this.nodes.map((n) => n.name).join(', ')}`);
  }

  /** Runs the real kubectl in the management network. */
  kubectl(args: readonly string[], options: { input?: string; timeoutMs?: number } = {}): Promise<ExecResult> {
    const kubectl = this.#options.kubectl ?? process.env.FAIRLEAD_KUBECTL ?? 'kubectl';
    const env = {
      ...process.env,
      KUBECONFIG: this.kubeconfig,
      HOME: this.directory,
      KUBECACHEDIR: this.#state.path('kubectl'),
    };
    return this.management.exec([kubectl, ...args], { ...options, env });
  }

  /** Resolves when kube-proxy on every node that is switched on has loaded rules that hold what is expected. */
  async untilProxied(expectation: ProxyExpectation, timeoutMs?: number): Promise<void> {
    await Promise.all(this.nodes.filter((node) => node.isOn).map((node) => node.untilProxied(expectation, timeoutMs)));
  }

  /** Ends and removes everything. May be called at any time, and again. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** What `stop` does when there is no time: synchronous, for exit handlers. */
  removeNow(): void {
    if (this.#removed) return;
    this.#removed = true;
    atExit.delete(this);
    for (const host of this.#hosts()) host.killAll();
    this.#networks?.lan.close();
    this.#networks?.management.close();
    this.#state.remove();
  }

  async #start(): Promise<void> {
    const step = this.#options.onStep ?? (() => {});
    step('starting the API server');
    const apiServer = this.management.spawn('api-server', [
      process.execPath,
      API_SERVER,
      '--listen',
      `${MANAGEMENT_ADDRESS}:${API_PORT}`,
      '--socket',
      this.#state.path('api.sock'),
      '--service-cidr',
      SERVICE_CIDR,
    ]);
    this.#apiServer = apiServer;
    apiServer.on('exit', () => this.#died(apiServer));
    const ready = apiServer.waitFor(
      'it was ready',
      (line, stream) => (stream === 'stdout' && line.includes('"ready"') ? true : undefined),
      START_TIMEOUT_MS,
    );
    ready.catch(() => {}); // awaited below, unless booting the nodes fails first
    writeFileSync(this.kubeconfig, kubeconfigText(this.server));
    step(`booting ${this.nodes.length} nodes`);
    for (const node of this.nodes) node.boot();
    await Promise.all([ready, checkNft(this.management.netns)]);
    step('starting the control plane and joining the nodes');
    await Promise.all([this.#controlPlane.start(), ...this.nodes.map((node) => node.startAgent())]);
    step(`lab ${this.id} is ready`);
  }

  async #stop(): Promise<void> {
    const processes = [...this.#hosts()].flatMap((host) => host.processes);
    // Its informers are told to end before their server is, so that they do not complain.
    const controlPlane = this.#controlPlane.stop();
    await this.kube.close();
    await controlPlane;
    this.removeNow();
    await Promise.all(processes.map((process) => process.exited));
  }

  #hosts(): LabHost[] {
    return [...(this.nodes ?? []), this.management, this.client, this.outside, this.router].filter(Boolean);
  }

  #died(process: LabProcess): void {
    if (this.#stopping !== undefined || this.#removed) return;
    const how = process.exit?.signal ?? `status ${process.exit?.code}`;
    this.#report(new LabError('FL_LAB_PROCESS', `${process.label} ended (${how}):\n${process.lastLines()}`));
  }

  #report(error: Error): void {
    if (this.#stopping !== undefined || this.#removed) return;
    if (this.#options.onError) this.#options.onError(error);
    else process.stderr.write(`lab ${this.id}: ${error.message}\n`);
  }
}

function kubeconfigText(server: string): string {
  return `apiVersion: v1
kind: Config
clusters:
- name: lab
  cluster: {server: "${server}"}
users:
- name: admin
  user: {}
contexts:
- name: lab
  context: {cluster: lab, user: admin, namespace: default}
current-context: lab
`;
}
