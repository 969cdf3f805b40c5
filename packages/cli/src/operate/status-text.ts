/** What `fairlead status` prints for people: columns as kubectl has them. Pure. */

import type { Status } from './status.js';

/** @param nowMs wall clock, to tell ages */
export function statusText({ vips, waiting, rejected, nodes }: Status, nowMs: number): string {
  const parts = [
    columns([
      ['VIP', 'OWNER', 'SINCE', 'VIRTUAL ROUTER', 'SERVICES'],
      ...vips.map(({ vip, owner, since, virtualRouter, services }) => [
        vip,
        owner ?? '<none>',
        since === undefined ? '' : age(nowMs - Date.parse(since)),
        virtualRouter ?? '<none>',
        services.join(','),
      ]),
    ]),
    columns([
      ['NODE', 'VIRTUAL ROUTERS', 'MAY OWN VIPS'],
      ...nodes.map(({ node, virtualRouters, unfit }) => [
        node,
        String(virtualRouters),
        unfit === undefined ? 'yes' : `no: ${unfit}`,
      ]),
    ]),
    ...vips.filter(({ problem }) => problem).map(({ vip, problem }) => `${vip}: ${problem}\n`),
    ...waiting.map(({ service, reason, message }) => `Service ${service} waits (${reason}): ${message}\n`),
    ...rejected.map(({ pool, message }) => `AddressPool "${pool}" gives out no addresses: ${message}\n`),
  ];
  const [first, second, ...problems] = parts;
  return [vips.length > 0 ? first : 'No Service has a VIP.\n', second, problems.join('')].filter(Boolean).join('\n');
}

function columns(rows: readonly string[][]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, i) => cell.padEnd(widths[i]!))
          .join('   ')
          .trimEnd()}\n`,
    )
    .join('');
}

/** As kubectl shows ages: 45s, 3m, 5h, 12d. */
export function age(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 120 * 60) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 48 * 3_600) return `${Math.floor(seconds / 3_600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}
