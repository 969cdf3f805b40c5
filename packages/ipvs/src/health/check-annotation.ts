/** The annotation `fairlead.dev/health-check` of a Service: how its real servers are asked whether they serve. Pure. */

import { annotations } from '@fairlead/api';
import type { Probe } from './probe.js';

export type HealthCheck = { kind: 'tcp' } | { kind: 'http'; path: string };

export type ParsedHealthCheck = { ok: true; check: HealthCheck } | { ok: false; message: string };

/** What may stand in a request line: printable ASCII without blanks, so that no annotation can smuggle in headers. */
const PATH = /^\/[\x21-\x7e]{0,1023}$/;

/** `tcp` or `http:/path`. The message of a refusal says what is wrong and what to write. */
export function parseHealthCheck(text: string): ParsedHealthCheck {
  const value = text.trim();
  if (value === 'tcp') return { ok: true, check: { kind: 'tcp' } };
  if (value.startsWith('http:')) {
    const path = value.slice('http:'.length);
    if (PATH.test(path) && !path.startsWith('//')) return { ok: true, check: { kind: 'http', path } };
  }
  const shown = JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
  return {
    ok: false,
    message: `annotation ${annotations.healthCheck}: ${shown} is neither "tcp" nor "http:/path" (a path of printable characters without blanks), so its real servers are not checked`,
  };
}

/** The question that a check asks a real server. */
export function probeOf(check: HealthCheck, realServer: { address: string; port: number }): Probe {
  const { address, port } = realServer;
  return check.kind === 'tcp'
    ? { kind: 'tcp', address, port }
    : { kind: 'http', address, port, path: check.path, expect: '2xx-3xx' };
}
