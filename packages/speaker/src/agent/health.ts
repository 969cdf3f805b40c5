/** What this speaker's own eyes say of nodes and real servers, and the planner's being told of it. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  Checks,
  NodeHealth,
  type NodeHealthOptions,
  type NodeInput,
  type Planner,
  type PlanProblem,
} from '@fairlead/ipvs';
import type { Logger } from 'pino';
import type { SpeakerView } from '../metrics/view.js';
import { ServiceChecks } from './service-checks.js';
import { Suspects } from './suspects.js';

export interface HealthOptions {
  /** How nodes are probed; the defaults are NodeHealth's. */
  probes?: Omit<NodeHealthOptions, 'send' | 'timers'>;
  /** For how long a node whose claim ran out is a suspect, ms. */
  suspectForMs: number;
  planner: Planner;
  log: Logger;
  /** The planner was told something new. */
  onChange: () => void;
}

/** How long a speaker that starts waits for what Services want to be checked: very many checks take their time. */
const FIRST_CHECKS_MS = 2_000;

export class Health {
  /** To be told of Services and endpoints. */
  readonly serviceChecks: ServiceChecks;
  readonly #options: HealthOptions;
  readonly #nodeHealth: NodeHealth;
  readonly #checks: Checks;
  readonly #suspects: Suspects;

  constructor(options: HealthOptions) {
    const { planner, log, onChange, probes, suspectForMs } = options;
    this.#options = options;
    this.#nodeHealth = new NodeHealth(probes);
    const { port: _, ...timing } = probes ?? {};
    this.#checks = new Checks({ ...timing, nodeAlive: (name) => this.healthy(name) });
    this.serviceChecks = new ServiceChecks({
      checks: this.#checks,
      planner,
      onVerdict: (service, subject, healthy, reason) => {
        const verdict = healthy ? 'passes its check' : `fails its check: ${reason}`;
        log.info({ service, subject, healthy, reason }, `${subject} of Service ${service} ${verdict}`);
        onChange();
      },
    });
    this.#suspects = new Suspects({
      forMs: suspectForMs,
      onChange: (name, suspect) => {
        planner.setNodeSuspect(name, suspect);
        this.serviceChecks.healthChanged();
        onChange();
      },
    });
    this.#nodeHealth.on('change', ({ node, healthy, reason }) => {
      const message = `node ${node} is ${healthy ? 'healthy' : `unhealthy: ${reason}`}`;
      log.info({ peer: node, healthy, reason }, message);
      planner.setNodeHealth(node, healthy);
      this.serviceChecks.healthChanged();
      onChange();
    });
  }

  /** false only for a node whose probes fail. */
  healthy(node: string): boolean {
    return this.#nodeHealth.healthy(node);
  }

  /** The nodes there are, whenever one of them is another. */
  setNodes(nodes: readonly NodeInput[]): void {
    this.#nodeHealth.setNodes(
      nodes.flatMap(({ name, internalIPs: [address] }) => (address === undefined ? [] : [{ name, address }])),
    );
    // One that has another address, or was away, starts anew there.
    for (const { name } of nodes) this.#options.planner.setNodeHealth(name, this.healthy(name));
    this.serviceChecks.nodesChanged(nodes);
  }

  /** Resolves when every node was asked once, and so was, unless that takes too long, every real server that is to be checked. */
  async start(): Promise<void> {
    this.#nodeHealth.start();
    await this.#nodeHealth.firstRound();
    this.settle();
    this.#checks.start();
    await Promise.race([this.#checks.firstRound(), sleep(FIRST_CHECKS_MS, undefined, { ref: false })]);
  }

  /** Asks what there is to ask by now; to be called once the planner has been told everything. */
  settle(): void {
    this.serviceChecks.settle();
  }

  /** A node's claim to a virtual router has run out. */
  suspect(node: string): void {
    this.#suspects.suspect(node);
  }

  /** What is wrong with the checks that Services want. */
  get problems(): PlanProblem[] {
    return this.serviceChecks.problems;
  }

  get counters(): SpeakerView['probes'] {
    return { node: this.#nodeHealth.counters(), service: this.#checks.counters() };
  }

  stop(): void {
    this.#suspects.stop();
    this.#nodeHealth.stop();
    this.#checks.stop();
  }
}
