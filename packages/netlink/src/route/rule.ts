/** Policy-routing rules: struct fib_rule_hdr and FRA_* (linux/fib_rules.h). */
import { Attributes, Encoder } from '../attribute.js';
import type { Request } from '../batch.js';
import { MalformedMessageError } from '../errors.js';
import { decodeAddress, encodeAddress, type Family, familyName, familyNumber } from '../ip.js';
import { NLM_F_CREATE, NLM_F_EXCL } from '../message.js';
import { RTM_DELRULE, RTM_GETRULE, RTM_NEWRULE } from './constants.js';

const HEADER_LENGTH = 12;
const FRA_DST = 1;
const FRA_SRC = 2;
const FRA_IIFNAME = 3;
const FRA_PRIORITY = 6;
const FRA_FWMARK = 10;
const FRA_SUPPRESS_PREFIXLEN = 14;
const FRA_TABLE = 15;
const FRA_FWMASK = 16;
const FRA_OIFNAME = 17;
const FRA_PROTOCOL = 21;
const FIB_RULE_INVERT = 0x2;

/** FR_ACT_* */
const actions = new Map([
  [1, 'table'],
  [2, 'goto'],
  [3, 'nop'],
  [6, 'blackhole'],
  [7, 'unreachable'],
  [8, 'prohibit'],
] as const);
export type RuleAction = 'table' | 'goto' | 'nop' | 'blackhole' | 'unreachable' | 'prohibit' | 'unspec';
const FR_ACT_TO_TBL = 1;

export interface Prefix {
  address: string;
  prefixLength: number;
}

/** A rule that looks a table up. */
export interface RuleOptions {
  family: Family;
  /** Lower first; the kernel's own are 0 (local), 32766 (main) and 32767. */
  priority: number;
  table: number;
  /** Only packets that came in through this interface. */
  iifName?: string;
  /** Only packets of local sockets bound to this interface. */
  oifName?: string;
  /** Only packets with this firewall mark (under `mask`, all 32 bits by default). */
  mark?: number;
  mask?: number;
  source?: Prefix;
  destination?: Prefix;
  /** Who made it (RTPROT_*); 0 by default. */
  protocol?: number;
  /** Match what the selectors do not. */
  invert?: boolean;
  /** Ignore what the table says when its prefix is this long or shorter (0: ignore its default route). */
  suppressPrefixLength?: number;
}

export interface Rule extends RuleOptions {
  action: RuleAction;
}

function encodeRule(rule: RuleOptions): Buffer {
  // u8 family, destination length, source length, tos, table, 2 reserved, action; u32 flags
  const bytes = Buffer.alloc(HEADER_LENGTH);
  bytes.writeUInt8(familyNumber(rule.family), 0);
  bytes.writeUInt8(rule.destination?.prefixLength ?? 0, 1);
  bytes.writeUInt8(rule.source?.prefixLength ?? 0, 2);
  bytes.writeUInt8(rule.table < 256 ? rule.table : 0, 4);
  bytes.writeUInt8(FR_ACT_TO_TBL, 7);
  bytes.writeUInt32LE(rule.invert ? FIB_RULE_INVERT : 0, 8);
  const encoder = new Encoder().raw(bytes).u32(FRA_PRIORITY, rule.priority).u32(FRA_TABLE, rule.table);
  if (rule.iifName !== undefined) encoder.string(FRA_IIFNAME, rule.iifName);
  if (rule.oifName !== undefined) encoder.string(FRA_OIFNAME, rule.oifName);
  if (rule.mark !== undefined) encoder.u32(FRA_FWMARK, rule.mark).u32(FRA_FWMASK, rule.mask ?? 0xffffffff);
  if (rule.source) encoder.binary(FRA_SRC, encodeAddress(rule.source.address, rule.family));
  if (rule.destination) encoder.binary(FRA_DST, encodeAddress(rule.destination.address, rule.family));
  if (rule.protocol !== undefined) encoder.u8(FRA_PROTOCOL, rule.protocol);
  if (rule.suppressPrefixLength !== undefined) encoder.u32(FRA_SUPPRESS_PREFIXLEN, rule.suppressPrefixLength);
  return encoder.bytes();
}

function text(rule: RuleOptions): string {
  const parts = [`${rule.family} rule ${rule.priority}:`];
  if (rule.source) parts.push(`from ${rule.source.address}/${rule.source.prefixLength}`);
  if (rule.destination) parts.push(`to ${rule.destination.address}/${rule.destination.prefixLength}`);
  if (rule.iifName !== undefined) parts.push(`iif ${rule.iifName}`);
  if (rule.oifName !== undefined) parts.push(`oif ${rule.oifName}`);
  if (rule.mark !== undefined) parts.push(`fwmark 0x${rule.mark.toString(16)}`);
  return `${parts.join(' ')} lookup ${rule.table}`;
}

/** EEXIST if a rule with exactly these selectors is there. */
export function addRuleRequest(rule: RuleOptions): Request {
  return {
    type: RTM_NEWRULE,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    body: encodeRule(rule),
    operation: `add ${text(rule)}`,
  };
}

/** Deletes the first rule that has all these selectors; ENOENT if none does. */
export function deleteRuleRequest(rule: RuleOptions): Request {
  return { type: RTM_DELRULE, body: encodeRule(rule), operation: `delete ${text(rule)}` };
}

export function listRulesRequest(family: Family): Request {
  const body = Buffer.alloc(HEADER_LENGTH);
  body.writeUInt8(familyNumber(family), 0);
  return { type: RTM_GETRULE, body, operation: `list ${family} rules` };
}

/** The payload of RTM_NEWRULE or RTM_DELRULE; undefined for another address family. */
export function decodeRule(payload: Buffer): Rule | undefined {
  if (payload.length < HEADER_LENGTH) throw new MalformedMessageError(`a rule of ${payload.length} bytes`);
  const family = familyName(payload.readUInt8(0));
  if (!family) return undefined;
  const attributes = new Attributes(payload.subarray(HEADER_LENGTH));
  const prefix = (attribute: number, prefixLength: number): Prefix | undefined => {
    const bytes = attributes.binary(attribute);
    return bytes && { address: decodeAddress(bytes, family), prefixLength };
  };
  const rule: Rule = {
    family,
    // The kernel leaves 0 out.
    priority: attributes.u32(FRA_PRIORITY) ?? 0,
    table: attributes.u32(FRA_TABLE) ?? payload.readUInt8(4),
    action: actions.get(payload.readUInt8(7) as 1) ?? 'unspec',
  };
  const iifName = attributes.string(FRA_IIFNAME);
  const oifName = attributes.string(FRA_OIFNAME);
  const mark = attributes.u32(FRA_FWMARK);
  const mask = attributes.u32(FRA_FWMASK);
  const source = prefix(FRA_SRC, payload.readUInt8(2));
  const destination = prefix(FRA_DST, payload.readUInt8(1));
  const protocol = attributes.u8(FRA_PROTOCOL);
  const suppressPrefixLength = attributes.s32(FRA_SUPPRESS_PREFIXLEN);
  if (iifName !== undefined) rule.iifName = iifName;
  if (oifName !== undefined) rule.oifName = oifName;
  if (mark !== undefined) rule.mark = mark;
  if (mask !== undefined && mask !== 0xffffffff) rule.mask = mask;
  if (source) rule.source = source;
  if (destination) rule.destination = destination;
  if (protocol !== undefined) rule.protocol = protocol;
  if (payload.readUInt32LE(8) & FIB_RULE_INVERT) rule.invert = true;
  // -1 = nothing suppressed
  if (suppressPrefixLength !== undefined && suppressPrefixLength >= 0) rule.suppressPrefixLength = suppressPrefixLength;
  return rule;
}
