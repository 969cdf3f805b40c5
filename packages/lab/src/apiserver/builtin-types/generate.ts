/**
 * Makes types.ts from the models of the official client, whose OpenAPI document is that of a real API server. For whoever moves
 * to another Kubernetes release:
 *
 *   node packages/lab/dist/apiserver/builtin-types/generate.js > packages/lab/src/apiserver/builtin-types/types.ts
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** What is served, and what it is made of, all the way down. */
const ROOTS = [
  'CoreV1Event',
  'EventsV1Event',
  'V1ClusterRole',
  'V1ClusterRoleBinding',
  'V1ConfigMap',
  'V1CustomResourceDefinition',
  'V1DaemonSet',
  'V1DeleteOptions',
  'V1Deployment',
  'V1EndpointSlice',
  'V1Endpoints',
  'V1Lease',
  'V1Namespace',
  'V1Node',
  'V1Pod',
  'V1Role',
  'V1RoleBinding',
  'V1Secret',
  'V1Service',
  'V1ServiceAccount',
  'V1ServiceCIDR',
];

/** Maps of quantities, which may be written as numbers; the models say only that they are text. */
const QUANTITIES = /^(limits|requests|capacity|allocatable|allocatedResources|overhead)$/;

const MODELS = join(dirname(createRequire(import.meta.url).resolve('@kubernetes/client-node')), 'gen/models');

interface Attribute {
  name: string;
  baseName: string;
  type: string;
  format: string;
}

/** V1ServicePort is ServicePort; where two groups have the same name, one keeps its prefix. */
const shortName = (model: string): string => model.replace(/^CoreV1/, '').replace(/^V1/, '');

const needed = new Set<string>();

function typeText({ baseName, type, format }: Omit<Attribute, 'name'>): string {
  const list = /^Array<(.*)>$/.exec(type);
  if (list) return `[]${typeText({ baseName, type: list[1]!, format })}`;
  const map = /^\{ \[key: string\]: (.*); \}$/.exec(type);
  if (map) {
    if (QUANTITIES.test(baseName)) return '{}quantity';
    return `{}${typeText({ baseName, type: map[1]!, format })}`;
  }
  switch (type) {
    case 'string':
      return format === 'quantity' ? 'quantity' : 'string';
    case 'number':
      return format || 'int32';
    case 'boolean':
      return 'boolean';
    case 'Date':
      return 'time';
    case 'V1MicroTime':
      return 'microTime';
    case 'IntOrString':
      return 'intOrString';
    case 'any':
    case 'object':
      return 'any';
    default:
      needed.add(type);
      return shortName(type);
  }
}

/** One line: `name:type` of each field, `!` behind the name of a required one. */
function describe(model: string): string {
  const code = readFileSync(join(MODELS, `${model}.js`), 'utf8');
  const attributes = JSON.parse(/attributeTypeMap = (\[[\s\S]*?\n?\]);/.exec(code)![1]!) as Attribute[];
  const declaration = readFileSync(join(MODELS, `${model}.d.ts`), 'utf8');
  return attributes
    .map((attribute) => {
      const optional = declaration.includes(`'${attribute.name}'?:`);
      return `${attribute.baseName}${optional ? '' : '!'}:${typeText(attribute)}`;
    })
    .join(' ');
}

for (const root of ROOTS) needed.add(root);
const lines: string[] = [];
for (const model of needed) lines.push(`  '${shortName(model)}': '${describe(model)}',`);
process.stdout.write(`/**
 * The fields of built-in types, made by generate.ts: \`name:type\`, \`!\` behind the name of a required one.
 * \`[]x\` is a list, \`{}x\` a map by text, \`any\` anything; names in capitals are other types of this table.
 */
export const BUILTIN_TYPES: Record<string, string> = {
${lines.sort().join('\n')}
};
`);
