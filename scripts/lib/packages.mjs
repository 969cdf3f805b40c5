/** The Debian packages that hold the commands that the scripts, the lab and the tests run. */
import { existsSync } from 'node:fs';
import { Failure } from './failure.mjs';
import { run, which } from './process.mjs';
import { step } from './steps.mjs';

/** @type {Readonly<Record<string, string>>} command, or file, → Debian package */
export const PACKAGES = {
  ip: 'iproute2',
  nft: 'nftables',
  nsenter: 'util-linux',
  setpriv: 'util-linux',
  flock: 'util-linux',
  ping: 'iputils-ping',
  ps: 'procps',
  cc: 'gcc',
  '/usr/include/stdio.h': 'libc6-dev',
  ipvsadm: 'ipvsadm',
  keepalived: 'keepalived',
  tshark: 'tshark',
  modprobe: 'kmod',
  depmod: 'kmod',
  'qemu-system-x86_64': 'qemu-system-x86',
  xz: 'xz-utils',
  perl: 'perl-base',
  'iptables-nft-restore': 'iptables',
  ipset: 'ipset',
};

/**
 * Installs the packages of the commands that are missing, where that is possible and allowed.
 * @param {readonly string[]} commands keys of PACKAGES @param {string} purpose e.g. "to boot the guest"
 */
export async function ensureCommands(commands, purpose) {
  const missing = commands.filter((command) => !isThere(command));
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((command) => PACKAGES[command] ?? command))];
  const install = `apt-get install -y --no-install-recommends ${packages.join(' ')}`;
  const obstacle = whyNotInstall();
  if (obstacle) {
    throw new Failure(
      'FL_MISSING_PACKAGES',
      `Missing ${purpose}: ${missing.join(', ')} (${obstacle}). Install with: sudo ${install}`,
    );
  }
  await step(`Installing ${packages.join(', ')} ${purpose}`, async () => {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    // Lists of some weeks ago name versions that the archive has no longer.
    const attempt = () => run(['sh', '-c', install], { env });
    let result = await attempt();
    if (result.code !== 0) {
      await run(['apt-get', 'update', '-qq'], { env });
      result = await attempt();
    }
    if (result.code !== 0) {
      const reason = result.output.trim().split('\n').at(-1);
      throw new Failure('FL_INSTALL', `'${install}' failed (${reason}): run it by hand to see why, then try again.`);
    }
    const still = missing.filter((command) => !isThere(command));
    if (still.length > 0) {
      throw new Failure(
        'FL_INSTALL',
        `'${install}' succeeded, but these commands are still not found: ${still.join(', ')}.`,
      );
    }
  });
}

/** @param {string} command */
function isThere(command) {
  return command.startsWith('/') ? existsSync(command) : which(command) !== undefined;
}

/** @returns {string | undefined} why packages may not be installed by this process */
function whyNotInstall() {
  if (process.env.FAIRLEAD_NO_INSTALL) return 'FAIRLEAD_NO_INSTALL is set';
  if (!which('apt-get')) return 'this machine has no apt-get';
  if (process.getuid?.() !== 0) return 'not root';
  return undefined;
}
