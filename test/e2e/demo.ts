/** The demo as a newcomer runs it: run by demo.net.spec.ts (nftables) and demo.ipvs.spec.ts (IPVS). */

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { listNetns } from '@fairlead/raw-socket';
import { expect } from 'chai';

const cli = fileURLToPath(import.meta.resolve('@fairlead/cli')).replace(/index\.js$/, 'main.js');

interface Facts {
  forwarder: string;
  vip: string;
  owners: { node: string; sinceMs: number }[];
  requests: {
    total: number;
    perPod: Record<string, number>;
    perBackend: { node: string; own: boolean; connections: number }[];
  };
  crash: { node: string; atMs: number };
  failures: number;
  outageMs: number;
  error?: string;
}

export function describeDemo(forwarder: 'ipvs' | 'nftables'): void {
  describe(`the demo with the ${forwarder} forwarder`, function () {
    this.timeout(600_000);

    it('ends well, tells what it did, writes its facts, and leaves nothing behind', async () => {
      const before = new Set(listNetns());
      const directory = await mkdtemp(join(tmpdir(), 'fairlead-demo-'));
      const json = join(directory, 'facts.json');
      const { code, output } = await run([cli, 'demo', '--forwarder', forwarder, '--json', json]);
      expect(code, output).to.equal(0);
      const facts = JSON.parse(await readFile(json, 'utf8')) as Facts;
      await rm(directory, { recursive: true });

      expect(facts).to.deep.include({ forwarder, vip: '10.77.0.200' });
      expect(facts).to.not.have.property('error');
      expect(facts.owners).to.have.length(2);
      expect(facts.owners[0]!.node).to.equal(facts.crash.node);
      expect(facts.owners[1]!.node).to.not.equal(facts.crash.node);
      const { requests } = facts;
      expect(requests.total).to.be.greaterThan(0);
      expect(sum(Object.values(requests.perPod))).to.equal(requests.total);
      expect(sum(requests.perBackend.map(({ connections }) => connections))).to.equal(requests.total);
      expect(requests.perBackend.map(({ node }) => node)).to.have.members(['n1', 'n2', 'n3']);
      for (const backend of requests.perBackend) {
        expect(backend.connections, backend.node).to.be.greaterThan(0);
        expect(backend.own).to.equal(backend.node === facts.crash.node);
      }
      expect(facts.failures).to.be.greaterThan(0);
      expect(facts.outageMs).to.be.greaterThan(0);
      for (const said of [facts.vip, facts.owners[1]!.node, 'own node', `Outage: ${Math.round(facts.outageMs)} ms`]) {
        expect(output).to.include(said);
      }
      expect(listNetns().filter((name) => name.startsWith('fl-') && !before.has(name))).to.deep.equal([]);
    });
  });
}

function run(argv: readonly string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, argv, { encoding: 'utf8' }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? 1 : 0, output: stdout + stderr });
    });
  });
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
