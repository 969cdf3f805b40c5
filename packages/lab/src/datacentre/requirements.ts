/** Whether this machine can have a lab; each thing that is missing in one line that says what to do. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { LabError } from './lab-error.js';
import { exec } from './process.js';

/** Command → the Debian package that has it. */
const COMMANDS = { ip: 'iproute2', nft: 'nftables', nsenter: 'util-linux', setpriv: 'util-linux' } as const;

/** One of each kind of rule that the lab's nodes load. */
const SAMPLE_RULES = `table ip fairlead-check {
  set seen { type ipv4_addr; flags dynamic,timeout; timeout 1s; }
  map ports { type inet_proto . inet_service : verdict; }
  chain target { update @seen { ip saddr }; meta l4proto tcp dnat to 192.0.2.1:80; }
  chain refuse { reject; }
  chain prerouting { type nat hook prerouting priority -100; meta l4proto . th dport vmap @ports; numgen random mod 1 vmap { 0 : goto target }; fib saddr type local goto target; }
  chain postrouting { type nat hook postrouting priority 100; meta mark & 0x4000 == 0 return; masquerade fully-random; }
  chain forward { type filter hook forward priority 0; ct state invalid drop; ct state new jump refuse; }
}
`;

/** @throws LabError FL_LAB_REQUIREMENTS naming everything that is missing */
export function checkMachine(
  { uid, path }: { uid: number; path: string } = { uid: process.getuid?.() ?? -1, path: process.env.PATH ?? '' },
): void {
  const missing = Object.entries(COMMANDS)
    .filter(([command]) => !isOnPath(command, path))
    .map(([command, debianPackage]) => `the command "${command}" is missing: apt-get install ${debianPackage}`);
  if (uid !== 0) missing.unshift('a lab makes network namespaces, which takes root: run this as root or with sudo');
  if (missing.length > 0) throw new LabError('FL_LAB_REQUIREMENTS', missing.join('\n'));
}

/** Asks the kernel, in one of the lab's namespaces and without changing anything there, whether it takes such rules. */
export async function checkNft(netns: string): Promise<void> {
  const { code, stderr } = await exec(netns, ['nft', '--check', '--file', '-'], { input: SAMPLE_RULES });
  if (code === 0) return;
  const why = stderr.trim().split('\n')[0];
  throw new LabError(
    'FL_LAB_REQUIREMENTS',
    `this kernel does not load the NAT rules of a node (${why}): it needs nf_tables with nat, masq, fib, numgen, reject and ct, e.g. modprobe nft_masq nft_fib_ipv4 nft_numgen nft_reject_ipv4`,
  );
}

/** What making a link failed with, as a requirement where it is one. */
export function explainLinkError(error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (code !== 'EOPNOTSUPP' && code !== 'ENOTSUP') return error;
  const message = `this kernel has no veth pairs or bridges (${(error as Error).message}): modprobe veth bridge`;
  return new LabError('FL_LAB_REQUIREMENTS', message, { cause: error });
}

function isOnPath(command: string, path: string): boolean {
  return path.split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, command), constants.X_OK);
      return true;
    } catch {
      return false; // not in this directory
    }
  });
}
