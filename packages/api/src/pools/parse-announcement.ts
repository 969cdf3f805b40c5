/** How a pool is announced: the part of its spec that is the speakers'. */

import type { LabelSelector } from '../label-selector.js';
import {
  type AnnouncementSpec,
  DEFAULT_VIRTUAL_ROUTERS,
  ELECTION_ENGINES,
  type ElectionEngine,
  MAX_LIST_ENTRIES,
  MAX_VIRTUAL_ROUTERS,
  type NodePreference,
} from './address-pool.js';
import { type AnnouncementSettings, announcementSettingsOf, DEFAULT_ANNOUNCEMENT } from './announcement-settings.js';
import {
  asFields,
  booleanOf,
  choiceOf,
  type Fields,
  integerOf,
  invalid,
  optional,
  selectorOf,
  show,
  textsOf,
} from './refusal.js';

/** spec's announcement part with its defaults filled in. */
export interface Announcement {
  virtualRouters: number;
  /** Undefined: every node may announce. */
  nodeSelector: LabelSelector | undefined;
  preferredNodes: NodePreference[];
  /** Names or patterns with a `*` at the end; undefined: the interface in the VIP's subnet. */
  interfaces: string[] | undefined;
  election: ElectionEngine;
  preempt: boolean;
  announcement: AnnouncementSettings;
}

/** IFNAMSIZ is 16 with the terminating zero; "/" and blanks are never part of a name. */
const INTERFACE = /^[^/\s*]{1,15}$|^[^/\s*]{0,14}\*$/;

/** Throws Refusal. */
export function parseAnnouncement(spec: Fields): Announcement {
  return {
    virtualRouters: integerOf(spec, 'virtualRouters', 1, MAX_VIRTUAL_ROUTERS, DEFAULT_VIRTUAL_ROUTERS),
    nodeSelector: selectorOf(spec, 'nodeSelector'),
    preferredNodes: preferencesOf(spec),
    interfaces: interfacesOf(spec),
    election: choiceOf(spec, 'election', ELECTION_ENGINES, 'lease'),
    preempt: booleanOf(spec, 'preempt', false),
    announcement: announcementSettingsOf(spec),
  };
}

/** The shortest spec that parses to this announcement: what the status says is in effect. */
export function announcementSpecOf(pool: Announcement): AnnouncementSpec & { virtualRouters: number } {
  const { virtualRouters, nodeSelector, preferredNodes, interfaces, election, preempt } = pool;
  const announcement = notByDefault(pool.announcement);
  return {
    virtualRouters,
    ...(nodeSelector && { nodeSelector }),
    ...(preferredNodes.length > 0 && { preferredNodes }),
    ...(interfaces && { interfaces }),
    ...(election !== 'lease' && { election }),
    ...(preempt && { preempt }),
    ...(Object.keys(announcement).length > 0 && { announcement }),
  };
}

function notByDefault(settings: AnnouncementSettings): Partial<AnnouncementSettings> {
  const differs = ([name, value]: [string, unknown]) =>
    JSON.stringify(value) !== JSON.stringify(DEFAULT_ANNOUNCEMENT[name as keyof AnnouncementSettings]);
  return Object.fromEntries(Object.entries(settings).filter(differs));
}

/** Whether a pattern of spec.interfaces means this interface. */
export function matchesInterface(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

function interfacesOf(spec: Fields): string[] | undefined {
  const interfaces = textsOf(spec, 'interfaces', MAX_LIST_ENTRIES, '[eth1, bond*]');
  for (const [index, name] of (interfaces ?? []).entries()) {
    if (INTERFACE.test(name)) continue;
    throw invalid(
      `spec.interfaces[${index}] is ${show(name)}; write the name of a network interface (at most 15 characters), ` +
        'or its beginning and a *, as in bond*',
    );
  }
  return interfaces;
}

function preferencesOf(spec: Fields): NodePreference[] {
  const value = optional(spec, 'preferredNodes') ?? [];
  if (!Array.isArray(value)) throw invalid(`spec.preferredNodes is ${show(value)}; write a list`);
  if (value.length > MAX_LIST_ENTRIES) {
    throw invalid(`spec.preferredNodes has ${value.length} entries, at most ${MAX_LIST_ENTRIES} are allowed`);
  }
  return value.map((entry, index) => {
    const path = `spec.preferredNodes[${index}]`;
    const { weight, selector, ...rest } = asFields(entry) ?? {};
    const [unknown] = Object.keys(rest);
    if (unknown !== undefined) throw invalid(`${path}.${unknown} means nothing; write weight and selector`);
    if (typeof weight !== 'number' || !Number.isInteger(weight) || weight < 1 || weight > 100) {
      throw invalid(`${path}.weight is ${show(weight)}; write a whole number from 1 to 100`);
    }
    const parsed = selectorOf({ selector }, 'selector', `${path}.selector`);
    if (!parsed) throw invalid(`${path}.selector is missing; say which nodes, as in matchLabels: {rack: a}`);
    return { weight, selector: parsed };
  });
}
