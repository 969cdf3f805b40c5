/**
 * The product in one run, on one machine: a Service gets an address, a client on the LAN reaches it through the kernel's IPVS,
 * the node that owns the address dies, the address moves, and the outage is measured from the client.
 * Everything is real (processes, packets, kernel) but for the data centre, which is made of network namespaces.
 */

import { writeFile } from 'node:fs/promises';
import type { ForwarderChoice } from '../lab/deployment.js';
import type { Terminal } from '../terminal.js';
import type { Facts } from './facts.js';
import { Scene } from './scene.js';
import { Story } from './story.js';
import { backendTable, virtualServerTable } from './tables.js';
import { drawTimeline } from './timeline.js';

export interface DemoOptions {
  forwarder: ForwarderChoice;
  /** Where to write the facts. */
  json?: string;
  terminal: Terminal;
}

/** Tells whether every step held. */
export async function runDemo(options: DemoOptions): Promise<boolean> {
  const { terminal } = options;
  const scene = new Scene(options.forwarder);
  let failure: Error | undefined;
  try {
    await tell(scene, new Story(terminal), terminal);
  } catch (error) {
    failure = error as Error;
    terminal.write(`\n${terminal.red('The demo stopped here.')} ${scene.lastWords()}\n`);
  } finally {
    await scene.close();
  }
  if (options.json) {
    const facts: Facts = { ...scene.facts, ...(failure ? { error: failure.message } : {}) };
    await writeFile(options.json, `${JSON.stringify(facts, undefined, 2)}\n`);
  }
  return failure === undefined;
}

async function tell(scene: Scene, story: Story, terminal: Terminal): Promise<void> {
  terminal.write(`\n${terminal.bold('Fairlead')}: a VIP that works, and moves\n\n`);

  await story.step('data centre', async (progress) => {
    const lab = await scene.build(progress);
    return { said: `${lab.nodes.length} nodes, a client and a router on a LAN; an API server on a network of its own` };
  });
  await story.step('fairlead', async (progress) => {
    const { forwarder } = await scene.install(progress);
    return { said: `a controller, and a speaker on every node; forwarder: ${terminal.bold(forwarder)}` };
  });
  await story.step('pool', async () => {
    const { name, addresses, free } = await scene.createPool();
    return { said: `AddressPool "${name}" accepted: ${addresses}, ${free} addresses free` };
  });
  await story.step('service', async () => {
    const { name, vip, afterMs } = await scene.createService();
    return { said: `Service ${name} of type LoadBalancer has ${terminal.bold(vip)} after ${Math.round(afterMs)} ms` };
  });
  const owner = await story.step('owner', async () => {
    const { node, lease, mac } = await scene.firstOwner();
    return { said: `${terminal.bold(node.name)} holds Lease ${lease} and answers ARP with ${mac}`, node };
  });
  const before = await story.step('requests', async (progress) => {
    const result = await scene.request(progress);
    return { said: `${result.total} HTTP requests from the LAN client, all answered`, ...result };
  });
  terminal.write(
    `\n  the ${scene.facts.forwarder === 'ipvs' ? 'IPVS' : 'nftables'} table in the director of ${owner.node.name}\n`,
  );
  story.show(virtualServerTable(before.table));
  terminal.write('\n  who answered\n');
  story.show(backendTable(scene.facts.requests));
  terminal.write('\n');

  await story.step('crash', async (progress) => {
    const { node } = await scene.crashOwner(progress);
    return { said: `${terminal.bold(node.name)}: link cut and every process killed, in one moment` };
  });
  await story.step('failover', async () => {
    const { node, afterMs } = await scene.nextOwner();
    return { said: `${terminal.bold(node.name)} took the VIP over, ${Math.round(afterMs)} ms after the crash` };
  });
  const outage = await story.step('recovery', async () => {
    const report = await scene.recovery();
    return { said: `the client is served again; ${report.failures} of ${report.attempts} connects failed`, ...report };
  });
  terminal.write(`\n  what the client saw, connecting every 10 ms (█ served, · not)\n`);
  story.show(drawTimeline(outage.timeline));
  terminal.write(`\n  ${terminal.bold(`Outage: ${Math.round(outage.outageMs)} ms`)} as the client saw it`);
  terminal.write(`${terminal.dim(' (Lease of 3 s; it has to run out before anyone may take over)')}\n\n`);
}
