/** spec.announcement: how often, and in which forms, the owner of a VIP tells the LAN where it is. */

import { asFields, type Fields, integerWithin, invalid, optional, show } from './refusal.js';

/** The two forms of a gratuitous ARP packet (RFC 5227 §3). IPv6 has one form, the unsolicited advertisement. */
export type ArpForm = 'Request' | 'Reply';
export const ARP_FORMS: readonly ArpForm[] = ['Request', 'Reply'];

export interface AnnouncementSettings {
  /**
   * After a takeover, which is announced at once, it is announced again after so many milliseconds, each counted from the takeover;
   * ascending. Empty: it is announced once.
   */
  repeatAfterMilliseconds: readonly number[];
  /** After that, it is announced every so many seconds. 0: never. */
  refreshSeconds: number;
  /** Of IPv4 addresses; at least one. */
  arpForms: readonly ArpForm[];
}

export const MAX_REPEATS = 8;
/** What comes later than a minute after a takeover is a refresh. */
export const MAX_REPEAT_AFTER_MILLISECONDS = 60_000;
export const MAX_REFRESH_SECONDS = 86_400;

/**
 * 50 ms, because frames that are queued behind a port which is just coming up are lost together. A minute, because that is sooner than
 * any switch forgets.
 */
export const DEFAULT_ANNOUNCEMENT: AnnouncementSettings = {
  repeatAfterMilliseconds: [50, 1_000, 2_000, 4_000],
  refreshSeconds: 60,
  arpForms: ARP_FORMS,
};

const PATH = 'spec.announcement';

/** spec.announcement with its defaults filled in. Throws Refusal. Not exported from the package. */
export function announcementSettingsOf(spec: Fields): AnnouncementSettings {
  const value = optional(spec, 'announcement') ?? {};
  const fields = asFields(value);
  if (!fields) throw invalid(`${PATH} is ${show(value)}; write its fields, as in {refreshSeconds: 30}`);
  for (const name of Object.keys(fields)) {
    if (name in DEFAULT_ANNOUNCEMENT) continue;
    throw invalid(`${PATH}.${name} means nothing; write ${Object.keys(DEFAULT_ANNOUNCEMENT).join(', ')}`);
  }
  return {
    repeatAfterMilliseconds: repeatsOf(fields),
    refreshSeconds: integerWithin(
      optional(fields, 'refreshSeconds'),
      `${PATH}.refreshSeconds`,
      [0, MAX_REFRESH_SECONDS],
      DEFAULT_ANNOUNCEMENT.refreshSeconds,
    ),
    arpForms: formsOf(fields),
  };
}

function repeatsOf(fields: Fields): readonly number[] {
  const path = `${PATH}.repeatAfterMilliseconds`;
  const value = optional(fields, 'repeatAfterMilliseconds');
  if (value === undefined) return DEFAULT_ANNOUNCEMENT.repeatAfterMilliseconds;
  if (!Array.isArray(value)) throw invalid(`${path} is ${show(value)}; write a list, such as [50, 1000]`);
  if (value.length > MAX_REPEATS) {
    throw invalid(`${path} has ${value.length} entries, at most ${MAX_REPEATS} are allowed`);
  }
  for (const [index, after] of value.entries()) {
    if (!Number.isInteger(after) || after < 1 || after > MAX_REPEAT_AFTER_MILLISECONDS) {
      throw invalid(
        `${path}[${index}] is ${show(after)}; write a whole number from 1 to ${MAX_REPEAT_AFTER_MILLISECONDS} ` +
          '(what is to come at once need not be listed)',
      );
    }
    if (index > 0 && after <= value[index - 1]) {
      throw invalid(
        `${path}[${index}] is ${after}, which is not after the ${value[index - 1]} before it; ` +
          'count all of them from the takeover, and list them in rising order',
      );
    }
  }
  return value as number[];
}

function formsOf(fields: Fields): readonly ArpForm[] {
  const value = optional(fields, 'arpForms');
  if (value === undefined) return DEFAULT_ANNOUNCEMENT.arpForms;
  const forms: readonly unknown[] = Array.isArray(value) ? value : [];
  if (forms.length > 0 && forms.every((form, index) => isForm(form) && forms.indexOf(form) === index)) {
    return value as ArpForm[];
  }
  throw invalid(
    `${PATH}.arpForms is ${show(value)}; write one or both of ${ARP_FORMS.join(', ')}, or leave it out for both`,
  );
}

function isForm(value: unknown): value is ArpForm {
  return ARP_FORMS.some((form) => form === value);
}
