/** The reference: keepalived on the nodes of a lab without Fairlead, all BACKUP, nopreempt, as people run it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Lab, type LabNode } from '@fairlead/lab';
import type { GroupContext } from '../groups.js';
import type { Target } from './trials.js';

const VIP = '10.77.0.250';
const PORT = 8080;
const LISTENER = `require('node:net').createServer((socket) => socket.on('error', () => {})).listen(${PORT}, () => console.log('listening'))`;

export interface KeepalivedGround extends Target {
  /** The node that has the VIP. */
  owner(): Promise<LabNode>;
  /** Switches a crashed node on, and waits until its keepalived is a standby. */
  revive(node: LabNode): Promise<void>;
}

export async function withKeepalived<T>(
  context: GroupContext,
  intervalMs: number,
  run: (ground: KeepalivedGround) => Promise<T>,
): Promise<T> {
  context.step('building a data centre with keepalived in it');
  const lab = await Lab.start({ nodes: 3 });
  const folder = mkdtempSync(join(tmpdir(), 'fl-keepalived-'));
  const stop = () => void lab.stop();
  context.signal.addEventListener('abort', stop);
  try {
    const start = async (node: LabNode) => {
      const file = join(folder, `${node.name}.conf`);
      writeFileSync(file, config(node, lab.nodes.indexOf(node), intervalMs));
      await node.spawn('listener', [process.execPath, '-e', LISTENER]).waitFor('it listened', anyLine, 60_000);
      const pids = ['-p', '-r'].flatMap((flag) => [flag, join(folder, `${node.name}${flag}`)]);
      const argv = ['keepalived', '--vrrp', '--dont-fork', '--log-console', '-f', file, ...pids];
      const entered = (line: string) => (line.includes('Entering BACKUP STATE') ? true : undefined);
      await node.spawn('keepalived', argv).waitFor('it was a standby', entered, 60_000);
    };
    await Promise.all(lab.nodes.map(start));
    return await run({
      lab,
      address: VIP,
      port: PORT,
      owner: () => ownerOf(lab),
      revive: async (node) => {
        await node.powerOn();
        await start(node);
      },
    });
  } finally {
    context.signal.removeEventListener('abort', stop);
    await lab.stop();
    rmSync(folder, { recursive: true });
  }
}

const anyLine = () => true as const;

/** Asked only while the client is served: somebody has it. */
async function ownerOf(lab: Lab): Promise<LabNode> {
  for (;;) {
    for (const node of lab.nodes.filter(({ isOn }) => isOn)) {
      const { stdout } = await node.exec(['ip', '-4', '-o', 'address', 'show', 'to', VIP]);
      if (stdout.includes(VIP)) return node;
    }
  }
}

function config(node: LabNode, place: number, intervalMs: number): string {
  return `
global_defs {
  vrrp_version 3
}
vrrp_instance test {
  state BACKUP
  nopreempt
  interface ${node.lanInterface}
  virtual_router_id 51
  priority ${200 - place}
  advert_int ${intervalMs / 1000}
  virtual_ipaddress {
    ${VIP}/24 dev ${node.lanInterface}
  }
}
`;
}
