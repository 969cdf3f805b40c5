/**
 * A process that starts a lab and then does what its argument says: the tests watch what remains of the lab.
 * Prints `{"id":…,"pids":[…]}` when the lab is up.
 */
import { createNetns } from '@fairlead/raw-socket';
import { Lab } from './lab.js';

const lab = await Lab.start({ nodes: 1 });
const [node] = lab.nodes;
createNetns(node!.directorName); // as a speaker would
const child = lab.client.spawn('sleeper', [process.execPath, '--eval', 'setInterval(() => {}, 1e6)']);
const pids = [lab.apiServer!.pid, node!.agent!.pid, child.pid];
process.stdout.write(`${JSON.stringify({ id: lab.id, pids })}\n`);

const [what] = process.argv.slice(2);
if (what === 'throw') {
  setImmediate(() => {
    throw new Error('as asked');
  });
} else if (what === 'exit') {
  process.exit(7);
} else {
  setInterval(() => {}, 1e6);
}
