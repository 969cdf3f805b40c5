/**
 * What one address costs in a large pool that is well used: 50,000 in use, every second of them returned and given out again,
 * so that the free ones lie scattered. `.map` beside it is the least that any allocator has to do: to set an entry of a Map
 * that large, in the same process. All of it in processor time.
 */

import { type Family, type IpAddress, parseRange } from '@fairlead/api';
import { Allocator, type Holder, plainPool } from '@fairlead/controller';
import type { Bench, BenchContext } from './bench.js';
import { judge, type Row } from './row.js';
import { percentile } from './statistics.js';

const POOLS = [
  ['allocator.v4-12', '10.0.0.0/12'],
  ['allocator.v6-64', '2001:db8::/64'],
] as const;
const IN_USE = 50_000;
const LIMIT_US = 10;
/** Each round gives out so many addresses, and returns as many. */
const PER_ROUND = 10_000;
const ROUNDS = 15;
/** Until the code is compiled. */
const WARM_UP = 3;

export const bench: Bench = {
  name: 'allocator',
  title: `one allocation from a /12 and from an IPv6 /64 with ${IN_USE} addresses in use`,
  needs: 'none',
  run,
};

async function run(context: BenchContext): Promise<Row[]> {
  const rows: Row[] = [];
  context.step('warming up');
  // Whatever is measured first pays for the compiler; so all of it runs once for nothing.
  for (const [name, addresses] of POOLS) measure(name, addresses);
  for (const [name, addresses] of POOLS) {
    context.signal.throwIfAborted();
    context.step(`${name}: ${ROUNDS} rounds of ${PER_ROUND}`);
    rows.push(measure(name, addresses), measureMap(`${name}.map`, addresses));
  }
  return rows;
}

function measure(name: string, addresses: string): Row {
  const range = parseRange(addresses);
  const { family } = range.first;
  const allocator = new Allocator(() => 0);
  allocator.setPools([plainPool(name, [parseRange(addresses)])]);
  const held = Array.from({ length: IN_USE }, (_, n) => take(allocator, holder(`default/s${n}`), family));
  const samples: number[] = [];
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    const chosen = chosenIn(round);
    const holders = chosen.map((n) => holder(`default/s${n}`));
    for (const n of chosen) allocator.release(`default/s${n}`, held[n]!);
    const begin = process.cpuUsage();
    for (const [index, n] of chosen.entries()) held[n] = take(allocator, holders[index]!, family);
    if (round >= 0) samples.push(microsecondsSince(begin) / chosen.length);
  }
  if (allocator.size !== IN_USE) throw new Error(`${allocator.size} addresses are in use, not ${IN_USE}`);
  return judge({
    name,
    value: round2(percentile(samples, 50)),
    unit: 'µs',
    limit: LIMIT_US,
    samples: samples.map(round2),
  });
}

/** The same series of addresses, set in a Map and deleted again. */
function measureMap(name: string, addresses: string): Row {
  const first = BigInt(parseRange(addresses).first.value);
  const map = new Map(Array.from({ length: IN_USE }, (_, n) => [first + BigInt(n), { n }] as const));
  const samples: number[] = [];
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    const keys = chosenIn(round).map((n) => first + BigInt(n));
    for (const key of keys) map.delete(key);
    const begin = process.cpuUsage();
    for (const [n, key] of keys.entries()) map.set(key, { n });
    if (round >= 0) samples.push(microsecondsSince(begin) / keys.length);
  }
  return judge({ name, value: round2(percentile(samples, 50)), unit: 'µs', samples: samples.map(round2) });
}

/** Scattered over everything in use, in an order that is not that of the addresses; each once. */
function chosenIn(round: number): number[] {
  return Array.from({ length: PER_ROUND }, (_, n) => (n * 7919 + round + WARM_UP) % IN_USE);
}

/** Processor time of this process, so that what else runs on the machine does not count. */
function microsecondsSince(begin: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(begin);
  return user + system;
}

function take(allocator: Allocator, who: Holder, family: Family): IpAddress {
  const [allocation] = allocator.allocate(who, { families: [family] }) ?? [];
  if (!allocation) throw new Error(`nothing for ${who.key}: ${family} addresses have run out`);
  return allocation.address;
}

function holder(key: string): Holder {
  return { key, namespace: 'default', namespaceLabels: undefined, labels: undefined };
}

function round2(value: number): number {
  return Math.round(value * 100) / 100;
}
