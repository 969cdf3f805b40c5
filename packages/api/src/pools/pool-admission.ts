/** Who may use a pool. Pure; the same answer for the controller and for whoever explains it. */

import { type LabelSelector, type Labels, matchesSelector } from '../label-selector.js';

/** The part of a pool that says who may use it. */
export interface PoolAudience {
  namespaces?: readonly string[] | undefined;
  namespaceSelector?: LabelSelector | undefined;
  serviceSelector?: LabelSelector | undefined;
}

export interface Applicant {
  namespace: string;
  /** Labels of the namespace; undefined when it is not known. */
  namespaceLabels: Labels | undefined;
  /** Labels of the Service. */
  labels: Labels | undefined;
}

/** Which rule of the pool keeps the applicant out; undefined when it may use the pool. */
export function refusedBy(audience: PoolAudience, applicant: Applicant): 'namespace' | 'service' | undefined {
  const { namespaces, namespaceSelector, serviceSelector } = audience;
  if (namespaces || namespaceSelector) {
    const listed = namespaces?.includes(applicant.namespace) ?? false;
    // A selector that matches nothing admits nobody: it is no reason to admit everybody.
    const selected = namespaceSelector ? matchesSelector(namespaceSelector, applicant.namespaceLabels) : false;
    if (!listed && !selected) return 'namespace';
  }
  if (serviceSelector && !matchesSelector(serviceSelector, applicant.labels)) return 'service';
  return undefined;
}

/** Whether the pool is kept for some: such pools are tried before those that everybody may use. */
export function isDedicated({ namespaces, namespaceSelector, serviceSelector }: PoolAudience): boolean {
  return namespaces !== undefined || namespaceSelector !== undefined || serviceSelector !== undefined;
}
