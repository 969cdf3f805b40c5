/** Which nodes a pool chooses to announce its addresses, and which of them first. Pure; all speakers answer alike. */

import { type LabelSelector, type Labels, matchesSelector } from '../label-selector.js';
import type { NodePreference } from '../pools/address-pool.js';
import { rankNodes } from './virtual-router.js';

/** What a pool says of nodes. */
export interface NodeChoice {
  nodeSelector?: LabelSelector | undefined;
  preferredNodes: readonly NodePreference[];
}

/**
 * The nodes that a pool chooses for a virtual router, in groups of equal weight by the pool's preferences, the heaviest first; in each
 * group as rankNodes has them.
 */
export function rankChosenNodes(
  virtualRouter: string,
  { nodeSelector, preferredNodes }: NodeChoice,
  nodes: readonly string[],
  labelsOf: (node: string) => Labels | undefined,
): string[][] {
  const chosen = nodeSelector ? nodes.filter((node) => matchesSelector(nodeSelector, labelsOf(node))) : nodes;
  const ranked = rankNodes(virtualRouter, chosen);
  const groups = new Map<number, string[]>();
  for (const node of ranked) {
    const matching = preferredNodes.filter(({ selector }) => matchesSelector(selector, labelsOf(node)));
    const weight = matching.reduce((sum, preference) => sum + preference.weight, 0);
    const group = groups.get(weight);
    if (group) group.push(node);
    else groups.set(weight, [node]);
  }
  return [...groups].sort(([a], [b]) => b - a).map(([, group]) => group);
}
