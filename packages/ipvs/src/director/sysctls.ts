/**
 * The kernel settings that forwarding needs, and why. All are of the director's own network namespace, or of our own
 * interface on the host; the host's other settings are only looked at.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { inNetns } from '@fairlead/raw-socket';
import { ForwardingError } from '../errors.js';
import { type Log, silent } from '../log.js';

export interface Sysctl {
  /** As in sysctl(8), with `/` for `.`: interface names may have dots. */
  name: string;
  value: string;
  why: string;
}

/** In the director. */
export const directorSysctls: readonly Sysctl[] = [
  { name: 'net/ipv4/ip_forward', value: '1', why: 'it forwards replies of real servers to clients' },
  { name: 'net/ipv6/conf/all/forwarding', value: '1', why: 'it forwards replies of real servers to clients' },
  // The larger of `all` and the interface's own value holds, and a new namespace may inherit 1 from the host.
  { name: 'net/ipv4/conf/all/rp_filter', value: '2', why: 'clients of any network come in through one interface' },
  // A packet comes in and goes out through eth0: without these the client would be told to ask the real server itself.
  { name: 'net/ipv4/conf/all/send_redirects', value: '0', why: 'clients shall keep talking to the VIP' },
  { name: 'net/ipv4/conf/eth0/send_redirects', value: '0', why: 'clients shall keep talking to the VIP' },
];

/** In the director, once its nftables rules have loaded connection tracking. */
export const conntrackSysctls: readonly Sysctl[] = [
  {
    name: 'net/netfilter/nf_conntrack_tcp_be_liberal',
    value: '1',
    why: 'a connection that moved away and back has moved on in its TCP window',
  },
  {
    name: 'net/netfilter/nf_conntrack_tcp_loose',
    value: '1',
    why: 'a connection that another director began is picked up, or refused at once, but not left hanging',
  },
  // A real server's end of a connection is told apart by the VIP's port alone (some 64,000 of them): what is over must
  // not hold them for the usual two minutes.
  {
    name: 'net/netfilter/nf_conntrack_tcp_timeout_time_wait',
    value: '30',
    why: 'ports of closed connections to a real server are free again sooner',
  },
  // 5 days by default. What applications rely on is the two hours after which TCP keepalive asks.
  {
    name: 'net/netfilter/nf_conntrack_tcp_timeout_established',
    value: '8000',
    why: 'connections of clients that vanished give their ports back',
  },
  // 60 s by default, for a connection of which one side has nothing more to say; kube-proxy sets the same on every node.
  {
    name: 'net/netfilter/nf_conntrack_tcp_timeout_close_wait',
    value: '3600',
    why: 'a half-closed connection may be quiet for long',
  },
  // 120 s by default; were it shorter than IPVS's, a flow would come from another port after a pause.
  {
    name: 'net/netfilter/nf_conntrack_udp_timeout_stream',
    value: '300',
    why: 'a flow of datagrams keeps its source port for as long as IPVS keeps its real server',
  },
];

/** In the director, once ip_vs is loaded. */
export const ipvsSysctls: readonly Sysctl[] = [
  { name: 'net/ipv4/vs/conntrack', value: '1', why: 'SNAT to the VIP needs IPVS connections in connection tracking' },
  { name: 'net/ipv4/vs/conn_reuse_mode', value: '1', why: 'a reused client port is scheduled anew' },
  {
    name: 'net/ipv4/vs/expire_nodest_conn',
    value: '1',
    why: 'connections to a deleted real server end at once instead of hanging',
  },
  {
    name: 'net/ipv4/vs/expire_quiescent_template',
    value: '1',
    why: 'persistent clients leave a real server that is being drained',
  },
];

/** On the host, for our own interface alone. */
export function hostInterfaceSysctls(name: string): readonly Sysctl[] {
  return [
    { name: `net/ipv4/conf/${name}/rp_filter`, value: '2', why: 'a former owner still passes on its last packets' },
    { name: `net/ipv4/conf/${name}/forwarding`, value: '1', why: 'the director reaches other nodes through the host' },
  ];
}

export function hostInterfaceIpv6Sysctls(name: string): readonly Sysctl[] {
  return [
    { name: `net/ipv6/conf/${name}/forwarding`, value: '1', why: 'the director reaches other nodes through the host' },
  ];
}

/**
 * Sets what differs, in that network namespace (undefined: this one). Returns how many were set. Throws FL_SYSCTL for
 * one that the kernel does not have, unless only those that are `present` count.
 */
export function ensureSysctls(
  netns: string | undefined,
  sysctls: readonly Sysctl[],
  log: Log,
  { where = 'all' }: { where?: 'all' | 'present' } = {},
): number {
  let changed = 0;
  for (const { name, value, why } of sysctls) {
    if (where === 'present' && !within(netns, () => existsSync(`/proc/sys/${name}`))) continue;
    const before = readSysctl(netns, name);
    if (before === value) continue;
    try {
      within(netns, () => writeFileSync(`/proc/sys/${name}`, value));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const message = `cannot set ${dotted(name)} to ${value} in ${place(netns)} (${why}): ${reason}`;
      throw new ForwardingError('FL_SYSCTL', message, { cause: error });
    }
    log.info({ netns, sysctl: dotted(name), before, value, why }, 'kernel setting changed');
    changed++;
  }
  return changed;
}

/** Does something under another value of a setting, which has its own again afterwards. Throws FL_SYSCTL. */
export function withSysctl<T>(netns: string, name: string, value: string, action: () => T): T {
  const write = (text: string) => ensureSysctls(netns, [{ name, value: text, why: 'for a moment' }], silent);
  const before = readSysctl(netns, name);
  write(value);
  try {
    return action();
  } finally {
    write(before);
  }
}

/** Throws FL_SYSCTL when the kernel has no such setting. */
export function readSysctl(netns: string | undefined, name: string): string {
  try {
    return within(netns, () => readFileSync(`/proc/sys/${name}`, 'utf8')).trim();
  } catch (error) {
    const message =
      `cannot read ${dotted(name)} in ${place(netns)}: ${error instanceof Error ? error.message : String(error)}; ` +
      'is the part of the kernel that it belongs to loaded?';
    throw new ForwardingError('FL_SYSCTL', message, { cause: error });
  }
}

/** `/proc/sys/net` shows the network namespace of the thread that opens a file there. */
function within<T>(netns: string | undefined, action: () => T): T {
  return netns === undefined ? action() : inNetns(netns, action);
}

function place(netns: string | undefined): string {
  return netns === undefined ? "the host's network namespace" : `network namespace ${netns}`;
}

function dotted(name: string): string {
  return name.replaceAll('/', '.');
}
