/** Where a daemon's metrics are served. Pure. */

import { isIP } from 'node:net';
import { InvalidArgumentError } from 'commander';

export interface ListenAddress {
  /** undefined: all addresses. */
  host: string | undefined;
  /** 0: any that is free. */
  port: number;
}

/** `:7480`, `127.0.0.1:7480`, `[::1]:7480`; `off`: undefined. */
export function parseListenAddress(text: string): ListenAddress | undefined {
  if (text === 'off') return undefined;
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text);
  const [, bracketed, plain] = match ?? [];
  const port = Number(match?.[3]);
  const known = bracketed === undefined ? plain === '' || isIP(plain ?? '') === 4 : isIP(bracketed) === 6;
  if (!known || port > 65_535) {
    throw new InvalidArgumentError('an address such as :7480, 127.0.0.1:7480 or [::1]:7480 is expected, or off.');
  }
  return { host: bracketed ?? (plain || undefined), port };
}
