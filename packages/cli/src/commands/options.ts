/** Options that the daemons share. It loads nothing of the data path, which the controller does not have. */

import { hostname } from 'node:os';
import { parseRange } from '@fairlead/api';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseListenAddress } from '../metrics/listen-address.js';

/** `--server`, `--kubeconfig`, `--log-level`; without the first two it is as `resolveConfig` of @fairlead/kube says. */
export function withCommonOptions(command: Command): Command {
  return command
    .option('--server <url>', 'API server without authentication, such as http://10.0.0.1:8080 (for labs)')
    .option(
      '--kubeconfig <file>',
      'kubeconfig file (default: the service account of the Pod, else $KUBECONFIG or ~/.kube/config)',
    )
    .addOption(
      new Option('--log-level <level>', 'how much to log')
        .choices(['trace', 'debug', 'info', 'warn', 'error'])
        .default('info'),
    );
}

/** `50%` or `0.5` → 0.5; more than nothing, at most all. */
export function parseShare(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(%)?$/.exec(text);
  const share = match ? Number(match[1]) / (match[2] ? 100 : 1) : Number.NaN;
  if (share > 0 && share <= 1) return share;
  throw new InvalidArgumentError('a share such as 50% or 0.5 is expected, more than 0 and at most 100%.');
}

/** `--metrics-address`, of the daemons. */
export function withMetricsAddress(command: Command, fallback: string): Command {
  return command.addOption(
    new Option('--metrics-address <address>', 'where /metrics, /healthz and /readyz are served, or off')
      .argParser(parseListenAddress)
      .default(parseListenAddress(fallback), fallback),
  );
}

export interface CommonOptions {
  server?: string;
  kubeconfig?: string;
  logLevel: string;
}

/** An option that takes a duration, with a default as one would write it. */
export function durationOption(flags: string, description: string, fallback: string): Option {
  return new Option(flags, description).argParser(parseDuration).default(parseDuration(fallback), fallback);
}

/** `--lease-duration`, of the daemons. */
export function leaseDurationOption(description: string, fallback: string): Option {
  return durationOption('--lease-duration <time>', description, fallback).argParser((text: string) => {
    const milliseconds = parseDuration(text);
    if (milliseconds >= 1_000) return milliseconds;
    throw new InvalidArgumentError('a Lease counts in seconds: 1s or more is expected.');
  });
}

/** `3s`, `500ms`, `2m`, or a plain number of seconds → milliseconds. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m)?$/.exec(text);
  if (!match) throw new InvalidArgumentError('a duration such as 3s or 500ms is expected.');
  const milliseconds = Number(match[1]) * { ms: 1, s: 1_000, m: 60_000 }[match[2] ?? 's']!;
  if (milliseconds <= 0) throw new InvalidArgumentError('a duration longer than nothing is expected.');
  return Math.round(milliseconds);
}

/** A CIDR, or several with commas between them, added to what was given before. */
export function parseCidrs(text: string, before: string[] = []): string[] {
  const cidrs = text.split(',').map((part) => part.trim());
  for (const cidr of cidrs) {
    try {
      parseRange(cidr);
    } catch (error) {
      throw new InvalidArgumentError((error as Error).message);
    }
  }
  return [...before, ...cidrs];
}

/** A whole number from 1 to `max`. */
export function parseCount(max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= 1 && value <= max) return value;
    throw new InvalidArgumentError(`a whole number from 1 to ${max} is expected.`);
  };
}

/** As kubelet names a Node that nobody names: the host's name in lower case. */
export function defaultNodeName(): string {
  return hostname().trim().toLowerCase();
}

/** A name that a Node can have (RFC 1123): it becomes a file's name, too. */
export function parseNodeName(text: string): string {
  if (/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(text) && text.length <= 253) return text;
  throw new InvalidArgumentError(
    'a name is expected as `kubectl get nodes` shows it: lower case letters, digits, "-" and ".".',
  );
}
