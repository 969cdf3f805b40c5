/** Whether this process may do what a director takes: said first, and at once, or it shows as one obscure refusal after another. */
import { readFileSync } from 'node:fs';
import { ForwardingError } from '../errors.js';

/** Numbers of linux/capability.h. */
const needed = {
  CAP_NET_ADMIN: { bit: 12n, for: 'interfaces, routes, nftables and IPVS' },
  CAP_SYS_ADMIN: { bit: 21n, for: 'to make and enter network namespaces' },
};

/** Throws FL_PRIVILEGES. `status`: of /proc/self/status. */
export function checkCapabilities(status: string = readFileSync('/proc/self/status', 'utf8')): void {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  const missing = Object.entries(needed).filter(([, { bit }]) => ((effective >> bit) & 1n) === 0n);
  if (missing.length === 0) return;
  const list = missing.map(([name, { for: purpose }]) => `${name} (${purpose})`).join(' and ');
  throw new ForwardingError(
    'FL_PRIVILEGES',
    `cannot make or change a director: this process lacks ${list}; run it as root, or in Kubernetes with these in ` +
      'securityContext.capabilities.add',
  );
}
