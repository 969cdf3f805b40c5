/** The node agent's process. See protocol.ts for what it reads and writes. */
import { createInterface } from 'node:readline';
import { startAgent } from './agent.js';
import type { AgentConfig, AgentMessage, ExpectCommand } from './protocol.js';

/** Loaded when there is something to log: it would be a quarter of the time that an agent takes to start. */
let logger: Promise<import('pino').Logger> | undefined;
const report = (node: string, error: Error) => {
  logger ??= import('pino').then(({ pino }) =>
    pino({ name: 'node-agent', base: null }, pino.destination({ dest: 2, sync: true })),
  );
  void logger.then((log) => log.error({ node, err: error }, error.message));
};
const say = (message: AgentMessage) => process.stdout.write(`${JSON.stringify(message)}\n`);

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const first = await lines.next();
if (first.done) throw new Error('the node agent reads its configuration from stdin, and nothing was there');
const config = JSON.parse(first.value) as AgentConfig;
const agent = await startAgent(config, (error) => report(config.name, error));
say({ ready: true });
for await (const line of { [Symbol.asyncIterator]: () => lines }) {
  const { id, expect } = JSON.parse(line) as ExpectCommand;
  agent.expectations.expect(expect, () => say({ met: id }));
}
process.exit(0); // stdin ended: the orchestrator is gone
