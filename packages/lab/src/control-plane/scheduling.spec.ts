import type { V1Node, V1Pod } from '@kubernetes/client-node';
import { expect } from 'chai';
import { chooseNode, isUnassigned } from './scheduling.js';

const node = (name: string, ready = 'True', unschedulable = false): V1Node => ({
  metadata: { name, labels: { 'kubernetes.io/hostname': name } },
  spec: { unschedulable },
  status: { conditions: [{ type: 'Ready', status: ready }] },
});
const pod = (nodeName?: string, nodeSelector?: Record<string, string>): V1Pod => ({
  metadata: { name: 'p' },
  spec: { containers: [], ...(nodeName ? { nodeName } : {}), ...(nodeSelector ? { nodeSelector } : {}) },
});

describe('chooseNode', () => {
  const nodes = [node('n1'), node('n2'), node('n3', 'Unknown'), node('n4', 'True', true)];
  for (const { title, pods, selector, expected } of [
    { title: 'the first by name when all are empty', pods: [], expected: 'n1' },
    { title: 'the one with the fewest pods', pods: [pod('n1')], expected: 'n2' },
    { title: 'one after the other', pods: [pod('n1'), pod('n2')], expected: 'n1' },
    { title: 'only a node that the selector names', pods: [], selector: 'n2', expected: 'n2' },
    { title: 'none that is not ready', pods: [], selector: 'n3', expected: undefined },
    { title: 'none that is cordoned', pods: [], selector: 'n4', expected: undefined },
  ]) {
    it(`takes ${title}`, () => {
      const selected = selector === undefined ? undefined : { 'kubernetes.io/hostname': selector };
      expect(chooseNode(pod(undefined, selected), nodes, pods)).to.equal(expected);
    });
  }
});

describe('isUnassigned', () => {
  it('is for pods without a node that nobody deletes', () => {
    const deleted = pod();
    deleted.metadata!.deletionTimestamp = new Date(0);
    expect([pod(), pod('n1'), deleted].map(isUnassigned)).to.deep.equal([true, false, false]);
  });
});
