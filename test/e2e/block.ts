/** A port of a node that other hosts, and the node itself, get no answer from: the process behind it hangs, as far as they can tell. */

import type { LabNode } from '@fairlead/lab';
import { expect } from 'chai';

/** What is returned undoes it. */
export async function block(node: LabNode, port: number): Promise<() => Promise<void>> {
  const table = `block${port}`;
  const { code, stderr } = await node.exec([
    'nft',
    `add table ip ${table}; add chain ip ${table} in { type filter hook prerouting priority -400; }; ` +
      `add rule ip ${table} in tcp dport ${port} drop`,
  ]);
  expect(code, stderr).to.equal(0);
  return async () => {
    await node.exec(['nft', `delete table ip ${table}`]);
  };
}
