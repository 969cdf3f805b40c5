/**
 * Why IPVS refused something. The kernel uses ESRCH for a missing service in every command, but ENOENT for a missing
 * destination in one command and for an unknown scheduler in another: the command decides.
 */
import { NetlinkError } from '../errors.js';

/** What was attempted. */
export type IpvsAction =
  | 'add-service'
  | 'set-service'
  | 'delete-service'
  | 'add-destination'
  | 'set-destination'
  | 'delete-destination'
  /** Reading or zeroing one service. */
  | 'use-service'
  | 'start-or-stop-daemon'
  | 'other';

/** The refusals that a program may want to handle; undefined in IpvsError for all others. */
export type IpvsProblem = 'exists' | 'no-service' | 'no-destination' | 'no-scheduler' | 'no-daemon' | 'no-ipvs';

export class IpvsError extends NetlinkError {
  declare readonly problem?: IpvsProblem;

  constructor(options: ConstructorParameters<typeof NetlinkError>[0] & { problem?: IpvsProblem }) {
    super(options);
    this.name = 'IpvsError';
    if (options.problem) this.problem = options.problem;
  }
}

/** The one error of kernels without IPVS. Its `code` is FL_NO_IPVS. */
export function noIpvsError(operation: string): IpvsError {
  return new IpvsError({
    operation,
    code: 'FL_NO_IPVS',
    problem: 'no-ipvs',
    reason: 'this kernel has no IPVS: load module ip_vs ("modprobe ip_vs"), or use a kernel that has it',
  });
}

const reasons: Record<Exclude<IpvsProblem, 'no-ipvs'>, string> = {
  exists: 'it exists already',
  'no-service': 'there is no such service',
  'no-destination': 'the service has no such destination',
  'no-daemon': 'it does not run',
  'no-scheduler':
    'the kernel has no such scheduler or persistence engine: load module ip_vs_NAME ("modprobe ip_vs_rr")',
};

/** Says in the words of IPVS what a NetlinkError means for `action`. */
export function explain(error: NetlinkError, action: IpvsAction): IpvsError {
  const { operation, errno, code, extack } = error;
  const problem = problemOf(code, action);
  if (problem === 'no-ipvs') return noIpvsError(operation);
  const reason = problem ? reasons[problem] : (hint(code, action) ?? error.reason);
  return new IpvsError({
    operation,
    ...(errno === 0 ? { code } : { errno }),
    ...(extack ? { extack } : {}),
    reason,
    ...(problem ? { problem } : {}),
    cause: error,
  });
}

function problemOf(code: string, action: IpvsAction): IpvsProblem | undefined {
  switch (code) {
    case 'EEXIST':
      return action === 'other' ? undefined : 'exists';
    case 'ESRCH':
      if (action === 'start-or-stop-daemon') return 'no-daemon';
      return action === 'other' ? undefined : 'no-service';
    case 'ENOENT':
      if (action === 'add-service' || action === 'set-service') return 'no-scheduler';
      if (action === 'set-destination' || action === 'delete-destination') return 'no-destination';
      // Nothing else is ever missing: the family itself is gone, with its module.
      return 'no-ipvs';
    default:
      return undefined;
  }
}

function hint(code: string, action: IpvsAction): string | undefined {
  if (code === 'EPERM') return 'not permitted: this needs CAP_NET_ADMIN in the initial user namespace';
  if (code === 'EINVAL' && (action === 'add-destination' || action === 'set-destination')) {
    return (
      'the kernel takes only unicast addresses that are local or routable, and none while lo is down; ' +
      'another address family needs forwarding "tunnel" and no running daemon'
    );
  }
  if (code === 'EAFNOSUPPORT') return 'the kernel has this address family switched off';
  if (code === 'ERANGE') return 'the lower threshold is above the upper one, or the weight is negative';
  return undefined;
}
