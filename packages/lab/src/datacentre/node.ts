/** A node of the lab's cluster, and what can go wrong with it. */
import { fileURLToPath } from 'node:url';
import type { ProxyModeName } from '../node/kube-proxy/mode.js';
import type { AgentConfig, AgentMessage, ExpectCommand, ProxyExpectation } from '../node/protocol.js';
import type { FrameLoss } from './frame-loss.js';
import { type HostContext, LabHost } from './host.js';
import { LabError } from './lab-error.js';
import { CLUSTER_CIDR, type NodeNames } from './names.js';
import type { LabProcess } from './process.js';
import { removeNamespace, removeNamespaces } from './state.js';
import { bridgePorts, lanPorts, makeNode, type Networks, unplugNode } from './topology.js';
import { type Uplink, uplinkInterface } from './uplink.js';

const AGENT = fileURLToPath(new URL('../node/main.js', import.meta.url));
const START_TIMEOUT_MS = 300_000; // seconds at most; minutes in an emulated guest on a machine that is busy
const AGENT_LABEL = 'agent';

export interface NodeContext extends HostContext {
  networks: Networks;
  /** API server as nodes reach it. */
  server: string;
  /** kube-proxy's, on every node. */
  proxyMode: ProxyModeName;
  /** The control plane no longer hears of the node, or hears of it again. */
  contactLost: (name: string) => void;
  contactRegained: (name: string) => void;
  /** A process of the node ended though nobody asked it to. */
  onUnexpectedExit: (process: LabProcess) => void;
}

export class LabNode extends LabHost {
  /** Its InternalIP. */
  readonly lanAddress: string;
  /** The interface that has it. */
  readonly lanInterface: string;
  readonly managementAddress: string;
  readonly podCidr: string;
  /** The network namespace in which a speaker on this node may make its director. */
  readonly directorName: string;
  readonly #context: NodeContext;
  readonly #names: NodeNames;
  readonly #uplink: Uplink;
  #agent: LabProcess | undefined;
  #power: 'off' | 'on' = 'off';
  #expectations = 0;

  constructor(context: NodeContext, names: NodeNames, uplink: Uplink) {
    super(context, names.name, names.netns);
    this.#context = context;
    this.#names = names;
    this.#uplink = uplink;
    this.lanInterface = uplinkInterface(uplink);
    this.lanAddress = names.lanAddress;
    this.managementAddress = names.managementAddress;
    this.podCidr = names.podCidr;
    this.directorName = names.director;
  }

  /** Whether it has power. */
  get isOn(): boolean {
    return this.#power === 'on';
  }

  /** The process of its kubelet and kube-proxy stand-ins; undefined while it is off. */
  get agent(): LabProcess | undefined {
    return this.#agent;
  }

  /** Cuts its cable to the LAN at the bridge: no carrier. */
  linkDown(): void {
    this.#setLanPorts(false);
  }

  linkUp(): void {
    this.#setLanPorts(true);
  }

  /**
   * Lets the switch lose frames from or to this node, whose link stays up: all of them (1), or a share. `{}`: none any more. Frames between
   * other hosts are not touched.
   */
  lanLoss(loss: FrameLoss): void {
    this.#context.networks.lan.lose(bridgePorts(this.#names, this.#uplink), loss);
  }

  /** Cuts it off from the API server alone. The control plane gives it up after the grace period. */
  managementDown(): void {
    this.#context.networks.management.setPort(this.name, false);
    this.#context.contactLost(this.name);
  }

  managementUp(): void {
    this.#context.networks.management.setPort(this.name, true);
    this.#context.contactRegained(this.name);
  }

  /** Pulls the plug: both links are cut and every process is killed, at once. */
  crash(): void {
    if (!this.isOn) return;
    // Links first: the kernel, which goes on running here, must not tell anybody that the sockets were closed.
    this.#setLanPorts(false);
    this.#context.networks.management.setPort(this.name, false);
    this.#power = 'off';
    this.killAll();
    this.#agent = undefined;
    this.#context.contactLost(this.name);
  }

  /**
   * Switches it on: a machine with empty kernel state, whose agent registers the Node again and restarts its pods.
   * Resolves when it is Ready and kube-proxy has loaded its rules. What else ran on it (speaker) is the caller's to start.
   */
  async powerOn(): Promise<void> {
    if (this.isOn) this.fail('it is switched on already');
    await Promise.all(this.processes.map((process) => process.exited));
    unplugNode(this.#context.networks, this.#names, this.#uplink);
    removeNamespace(this.netns);
    removeNamespaces(`${this.netns}-`);
    this.boot();
    await this.startAgent();
  }

  /** Makes the machine and loads its agent, which waits for `startAgent`. */
  boot(): void {
    makeNode(this.#context.networks, this.#names, this.#uplink);
    this.#power = 'on';
    const agent = this.spawn(AGENT_LABEL, [process.execPath, AGENT, this.name]);
    this.#agent = agent;
    agent.on('exit', () => {
      if (this.#agent === agent) this.#context.onUnexpectedExit(agent);
    });
  }

  /** Lets the loaded agent begin; resolves when the node is Ready and serves. */
  async startAgent(): Promise<void> {
    const config: AgentConfig = {
      name: this.name,
      netns: this.netns,
      server: this.#context.server,
      lanAddress: this.lanAddress,
      podCidr: this.podCidr,
      clusterCidr: CLUSTER_CIDR,
      proxyMode: this.#context.proxyMode,
    };
    const agent = this.#agent ?? this.fail('its agent does not run');
    const ready = this.#hear('it was ready', (message) => 'ready' in message, START_TIMEOUT_MS);
    agent.write(`${JSON.stringify(config)}\n`);
    await ready;
    this.#context.contactRegained(this.name);
  }

  /**
   * Resolves when the kube-proxy rules in this node's kernel hold what is expected of a Service.
   * @throws LabError FL_LAB_TIMEOUT
   */
  async untilProxied(expectation: ProxyExpectation, timeoutMs = 60_000): Promise<void> {
    this.#expectations += 1;
    const command: ExpectCommand = { id: this.#expectations, expect: expectation };
    const what = `its rules held ${JSON.stringify(expectation)}`;
    const met = this.#hear(what, (message) => 'met' in message && message.met === command.id, timeoutMs);
    this.#agent?.write(`${JSON.stringify(command)}\n`);
    await met;
  }

  protected override assertUsable(): void {
    if (!this.isOn) this.fail('it is switched off; powerOn() it first');
  }

  #setLanPorts(up: boolean): void {
    for (const port of lanPorts(this.#names, this.#uplink)) this.#context.networks.lan.setPort(port, up);
  }

  #hear(what: string, matches: (message: AgentMessage) => boolean, timeoutMs: number): Promise<true> {
    if (this.#agent === undefined) {
      return Promise.reject(new LabError('FL_LAB_STATE', `${this.name}: its agent does not run`));
    }
    const select = (line: string, stream: 'stdout' | 'stderr') =>
      stream === 'stdout' && matches(JSON.parse(line) as AgentMessage) ? true : undefined;
    return this.#agent.waitFor(what, select, timeoutMs);
  }
}
