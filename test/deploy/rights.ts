/** What deploy/rbac.yaml allows, as an API server would see it. */
import { readFile } from 'node:fs/promises';
import type { RequestInfo } from '@fairlead/lab';
import { parseAllDocuments } from 'yaml';

export interface Rule {
  apiGroups: string[];
  resources: string[];
  resourceNames?: string[];
  verbs: string[];
  /** Of a Role; absent in a ClusterRole. */
  namespace?: string;
}

interface Manifest {
  kind: string;
  metadata: { name: string; namespace?: string };
  rules?: Rule[];
}

const manifests = new URL('../../../deploy/rbac.yaml', import.meta.url); // from test/dist/deploy/

/** Of the Role and the ClusterRole of this name. */
export async function rulesOf(name: string): Promise<Rule[]> {
  return parseAllDocuments(await readFile(manifests, 'utf8'))
    .map((document) => document.toJS() as Manifest)
    .filter(({ kind, metadata }) => /Role$/.test(kind) && metadata.name === name)
    .flatMap(({ metadata: { namespace }, rules = [] }) =>
      rules.map((rule) => ({ ...rule, ...(namespace !== undefined && { namespace }) })),
    );
}

export function isAllowed(rules: readonly Rule[], { verb, resource, namespace, name }: RequestInfo): boolean {
  const [plural, group = ''] = splitGroup(resource);
  return rules.some(
    (rule) =>
      rule.verbs.includes(verb) &&
      rule.apiGroups.includes(group) &&
      rule.resources.includes(plural) &&
      (rule.namespace === undefined || rule.namespace === namespace) &&
      // A list or watch limited to one name by a field selector names it for the authorizer, too.
      (!rule.resourceNames || verb === 'list' || verb === 'watch' || rule.resourceNames.includes(name ?? '')),
  );
}

/** `addresspools.fairlead.dev/status` → `addresspools/status`, `fairlead.dev`. */
function splitGroup(resource: string): [string, string?] {
  const [full, subresource] = resource.split('/') as [string, string?];
  const dot = full.indexOf('.');
  const plural = dot < 0 ? full : full.slice(0, dot);
  const name = subresource ? `${plural}/${subresource}` : plural;
  return dot < 0 ? [name] : [name, full.slice(dot + 1)];
}
