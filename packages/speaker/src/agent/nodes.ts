/**
 * What the speaker keeps of a Node. A kubelet lists the images that it has and tells of itself every few minutes, in ten kilobytes; where it
 * is, whether it is ready, and by what labels pools choose it is a few hundred bytes.
 */
import { nodeAnnotations } from '@fairlead/api';
import type { WatchedNode } from './feed.js';
import { only } from './kept.js';

type Metadata = NonNullable<WatchedNode['metadata']>;

const METADATA: readonly (keyof Metadata)[] = ['name', 'uid', 'resourceVersion', 'labels', 'deletionTimestamp'];

/** For an informer: what is kept already stays what it is. */
export function keepNode(node: WatchedNode): WatchedNode {
  const { metadata = {}, status } = node;
  const kept = only(node, ['apiVersion', 'kind']);
  kept.metadata = only(metadata, METADATA);
  const drain = metadata.annotations?.[nodeAnnotations.drain];
  if (drain !== undefined) kept.metadata.annotations = { [nodeAnnotations.drain]: drain };
  if (status) {
    kept.status = only(status, ['addresses']);
    const ready = status.conditions?.find(({ type }) => type === 'Ready');
    if (ready) kept.status.conditions = [{ type: ready.type, status: ready.status }];
  }
  return kept;
}
