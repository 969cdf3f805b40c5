/** What our manifests give to the processes of a cluster, for benchmarks of what runs there. */
import { readFileSync } from 'node:fs';

/** The plain environment variables of a manifest under deploy/: options of Node, and of the C library. */
export function deployedEnvironment(manifest: 'controller.yaml' | 'speaker.yaml'): Record<string, string> {
  const text = readFileSync(new URL(`../../../deploy/${manifest}`, import.meta.url), 'utf8');
  const variables = text.matchAll(/^ +- name: (\w+)\n +value: '?([^'\n]+)'?$/gm);
  return Object.fromEntries([...variables].map(([, name, value]) => [name!, value!]));
}
