/** Which nodes a pool chooses to announce its addresses, and which of them first. Pure; all speakers answer alike. */

import type { NodePreference } from './address-pool.js';
import { type LabelSelector, type Labels, matchesSelector } from './label-selector.js';
import { rankNodes } from './virtual-router.js';

/** What a pool says of nodes. */
export interface NodeChoice {
  nodeSelector?: LabelSelector | undefined;
  preferredNodes: readonly NodePreference[];
}

/**
 * The nodes that a pool chooses for a virtual router, in the order in which they should take over: the heavier by the pool's
 * preferences first, among equals as rankNodes has them.
 */
export function rankChosenNodes(
  virtualRouter: string,
  { nodeSelector, preferredNodes }: NodeChoice,
  nodes: readonly string[],
  labelsOf: (node: string) => Labels | undefined,
): string[] {
  const chosen = nodeSelector ? nodes.filter((node) => matchesSelector(nodeSelector, labelsOf(node))) : nodes;
  const ranked = rankNodes(virtualRouter, chosen);
  if (preferredNodes.length === 0) return ranked;
  const weight = new Map(
    ranked.map((node) => {
      const matching = preferredNodes.filter(({ selector }) => matchesSelector(selector, labelsOf(node)));
      return [node, matching.reduce((sum, preference) => sum + preference.weight, 0)];
    }),
  );
  return ranked.sort((a, b) => weight.get(b)! - weight.get(a)!);
}
