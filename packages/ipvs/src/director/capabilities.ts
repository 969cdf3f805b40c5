/** Whether this process may do what its work takes: said first, and at once, or it shows as one obscure refusal after another. */
import { readFileSync } from 'node:fs';
import { ForwardingError } from '../errors.js';

/** Numbers of linux/capability.h. */
const capabilities = {
  CAP_NET_ADMIN: { bit: 12n, for: 'interfaces, routes, nftables and IPVS' },
  CAP_NET_RAW: { bit: 13n, for: 'to answer ARP and neighbour solicitations' },
  CAP_SYS_ADMIN: { bit: 21n, for: 'to make and enter network namespaces' },
};

export interface Work {
  /** As in "cannot make or change a director". */
  name: string;
  needs: readonly (keyof typeof capabilities)[];
}

export const directorWork: Work = { name: 'make or change a director', needs: ['CAP_NET_ADMIN', 'CAP_SYS_ADMIN'] };
export const speakerWork: Work = {
  name: 'announce VIPs and forward for them',
  needs: ['CAP_NET_ADMIN', 'CAP_NET_RAW', 'CAP_SYS_ADMIN'],
};

/** Throws FL_PRIVILEGES. `status`: of /proc/self/status. */
export function checkCapabilities(work: Work, status: string = readFileSync('/proc/self/status', 'utf8')): void {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  const missing = work.needs.filter((name) => ((effective >> capabilities[name].bit) & 1n) === 0n);
  if (missing.length === 0) return;
  const list = missing.map((name) => `${name} (${capabilities[name].for})`).join(' and ');
  throw new ForwardingError(
    'FL_PRIVILEGES',
    `cannot ${work.name}: this process lacks ${list}; run it as root, or in Kubernetes with these in ` +
      'securityContext.capabilities.add',
  );
}
