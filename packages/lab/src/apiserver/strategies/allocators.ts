/**
 * The numbers that the API server hands out to Services: cluster addresses and node ports. An allocator knows who has
 * what; Services are fed to it as they are stored, so that it never disagrees with the store.
 */

/** Node ports, as --service-node-port-range. The same number may be used twice only within one Service (TCP and UDP). */
export class NodePortAllocator {
  readonly #owners = new Map<number, string>();

  /** Both ends inclusive. */
  constructor(
    readonly first = 30000,
    readonly last = 32767,
    private readonly random: () => number = Math.random,
  ) {}

  ownerOf(port: number): string | undefined {
    return this.#owners.get(port);
  }

  inRange(port: number): boolean {
    return port >= this.first && port <= this.last;
  }

  /** A free port, from a random place onwards; undefined when all are taken. `taken`: chosen for the same Service already. */
  free(taken: ReadonlySet<number>): number | undefined {
    const count = this.last - this.first + 1;
    const start = Math.floor(this.random() * count);
    for (let i = 0; i < count; i++) {
      const port = this.first + ((start + i) % count);
      if (!this.#owners.has(port) && !taken.has(port)) return port;
    }
    return undefined;
  }

  assign(ports: Iterable<number>, owner: string): void {
    for (const port of ports) this.#owners.set(port, owner);
  }

  release(ports: Iterable<number>, owner: string): void {
    for (const port of ports) if (this.#owners.get(port) === owner) this.#owners.delete(port);
  }
}

/** Cluster addresses of one family: `prefix` 10.96.0.0 with 16 bits, or an IPv6 prefix of which the low 16 bits are used. */
export class ClusterIpAllocator {
  readonly #owners = new Map<string, string>();
  readonly #base: bigint;
  readonly #size: bigint;

  /** @param cidr such as 10.96.0.0/16 or fd00:10:96::/112 */
  constructor(
    readonly cidr: string,
    private readonly random: () => number = Math.random,
  ) {
    const [address, length] = cidr.split('/') as [string, string];
    const bits = address.includes(':') ? 128 : 32;
    this.#base = toNumber(address);
    this.#size = 1n << BigInt(bits - Number(length));
  }

  ownerOf(address: string): string | undefined {
    return this.#owners.get(canonical(address));
  }

  contains(address: string): boolean {
    if (address.includes(':') !== this.cidr.includes(':')) return false;
    const offset = toNumber(address) - this.#base;
    // The network's own address and the last one are never handed out.
    return offset > 0n && offset < this.#size - 1n;
  }

  /** A free address, from a random place onwards; undefined when all are taken. */
  free(): string | undefined {
    const span = this.#size > 1n << 20n ? 1n << 20n : this.#size;
    const count = Number(span) - 2;
    const start = Math.floor(this.random() * count);
    for (let i = 0; i < count; i++) {
      const address = toText(this.#base + 1n + BigInt((start + i) % count), this.cidr.includes(':'));
      if (!this.#owners.has(address)) return address;
    }
    return undefined;
  }

  assign(address: string, owner: string): void {
    this.#owners.set(canonical(address), owner);
  }

  release(address: string, owner: string): void {
    const key = canonical(address);
    if (this.#owners.get(key) === owner) this.#owners.delete(key);
  }
}

function canonical(address: string): string {
  return toText(toNumber(address), address.includes(':'));
}

/** The address as a whole number; the text must have passed net.isIP. */
function toNumber(address: string): bigint {
  if (!address.includes(':')) return address.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n);
  const v4 = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address);
  const text = v4
    ? `${v4[1]}${(toNumber(v4[2]!) >> 16n).toString(16)}:${(toNumber(v4[2]!) & 0xffffn).toString(16)}`
    : address;
  const [head, tail] = text.split('::') as [string, string | undefined];
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const middle = Array<string>(tail === undefined ? 0 : 8 - left.length - right.length).fill('0');
  return [...left, ...middle, ...right].reduce((sum, group) => (sum << 16n) + BigInt(`0x${group}`), 0n);
}

function toText(value: bigint, v6: boolean): string {
  if (!v6) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');
  const groups = Array.from({ length: 8 }, (_, i) => ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16));
  // The URL parser compresses as RFC 5952 wants it.
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1);
}
