/** Columns of `kubectl get` for built-in resources, as kubernetes/pkg/printers/internalversion prints them. */
import type { Column } from './resources.js';
import { ageColumn, nameColumn } from './table.js';

/** @param collection such as `/services` or `coordination.k8s.io/leases`. */
export function columnsOf(collection: string): readonly Column[] {
  return COLUMNS[collection] ?? [nameColumn, ageColumn];
}

const COLUMNS: Record<string, readonly Column[]> = {};
