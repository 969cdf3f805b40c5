/**
 * Runs `nft` inside a network namespace: whole scripts as one atomic transaction, and listings as JSON.
 * The only place that knows that this is a command; all else here sees scripts and objects.
 */
import { spawnSync } from 'node:child_process';
import { inNetns } from '@fairlead/raw-socket';
import { type NftObject, objectsIn } from './nft-listing.js';
import type { NftFamily } from './nft-reader.js';

export type { NftObject };

/** A listing of 30,000 chains (10,000 virtual servers) takes nft 1.0.6 some 15 s, and twice that on a busy machine. */
const TIMEOUT_MS = 120_000;
/** A listing of 10,000 virtual servers is some 30 MB; the default of 1 MB would cut it off. */
const MAX_OUTPUT_BYTES = 512 * 1024 * 1024;

export class NftError extends Error {
  readonly code: 'FL_NFT_MISSING' | 'FL_NO_NFTABLES' | 'FL_NFT_FAILED';

  constructor(code: NftError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'NftError';
    this.code = code;
  }
}

/** What this package needs of nftables in one network namespace. */
export interface Nft {
  /** Applies a script: all of it or, when it throws, nothing. */
  run(script: string): void;
  /** The objects of a table, by default with the elements of its sets; undefined when there is no such table. */
  listTable(family: NftFamily, name: string, options?: { elements?: boolean }): NftObject[] | undefined;
  /** As `listTable`, for a table that may be large: each object is made when it is asked for, once. */
  eachOfTable(family: NftFamily, name: string): Iterable<NftObject> | undefined;
}

export class NftCommand implements Nft {
  readonly #netns: string | undefined;

  /** `netns`: a name under /run/netns or an absolute path; undefined: that of this process. */
  constructor(netns: string | undefined) {
    this.#netns = netns;
  }

  run(script: string): void {
    const { status, stderr } = this.#nft(['-f', '-'], script);
    if (status !== 0) throw this.#failed('apply a change', stderr);
  }

  listTable(family: NftFamily, name: string, options: { elements?: boolean } = {}): NftObject[] | undefined {
    const { elements = true } = options;
    const objects = this.#list([...(elements ? [] : ['-t']), '-j', 'list', 'table', family, name]);
    return objects && [...objects];
  }

  eachOfTable(family: NftFamily, name: string): Iterable<NftObject> | undefined {
    return this.#list(['-j', 'list', 'table', family, name]);
  }

  /** A chain and its rules; undefined when there is no such chain. */
  listChain(family: string, table: string, chain: string): NftObject[] | undefined {
    const objects = this.#list(['-j', 'list', 'chain', family, table, chain]);
    return objects && [...objects];
  }

  /** undefined when what is asked for is not there. */
  #list(args: string[]): Iterable<NftObject> | undefined {
    const { status, stdout, stderr } = this.#nft(args);
    if (status === 0) return objectsIn(stdout);
    if (stderr.includes('No such file or directory')) return undefined;
    throw this.#failed(args.filter((arg) => !arg.startsWith('-')).join(' '), stderr);
  }

  #nft(args: string[], input = ''): { status: number | null; stdout: Buffer; stderr: string } {
    // A child is born into the network namespace of the thread that makes it.
    const start = () =>
      spawnSync('nft', args, {
        input,
        timeout: TIMEOUT_MS,
        maxBuffer: MAX_OUTPUT_BYTES,
        env: { ...process.env, LC_ALL: 'C' }, // errors are recognised by their text
      });
    const result = this.#netns === undefined ? start() : inNetns(this.#netns, start);
    if (result.error && 'code' in result.error && result.error.code === 'ENOENT') {
      throw new NftError('FL_NFT_MISSING', 'there is no nft command here: install the package nftables', {
        cause: result.error,
      });
    }
    if (result.error) throw this.#failed(`run nft ${args.join(' ')}`, result.error.message, result.error);
    return { ...result, stderr: result.stderr.toString() };
  }

  #failed(what: string, reason: string, cause?: Error): NftError {
    const text = reason.trim().split('\n').slice(0, 5).join('\n');
    if (
      /Unable to initialize Netlink socket|cache initialization failed: (Protocol|Operation) not supported/.test(text)
    ) {
      const message = `this kernel has no nf_tables (module nf_tables, CONFIG_NF_TABLES): nft could not ${what}: ${text}`;
      return new NftError('FL_NO_NFTABLES', message, cause && { cause });
    }
    const where = this.#netns === undefined ? 'on this host' : `in network namespace ${this.#netns}`;
    const message = `nft could not ${what} ${where}: ${text}`;
    return new NftError('FL_NFT_FAILED', message, cause && { cause });
  }
}
