/**
 * SCTP as tests need it. Node.js has none, so it is Perl that asks and answers: every Debian machine has it, and it
 * passes the numbers of any protocol on to the kernel.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { constants, RawSocket } from '@fairlead/raw-socket';
import { ANSWER_MS, type Host } from './host.js';
import { POD_PORT } from './topology.js';

const IPPROTO_SCTP = 132;

const COMMON = `use strict; use warnings; use Socket qw(:all);
my ($address, $port, $name) = @ARGV;
alarm ${ANSWER_MS / 1000};
sub place { $_[0] =~ /:/ ? (AF_INET6, pack_sockaddr_in6($port, inet_pton(AF_INET6, $_[0]))) : (AF_INET, pack_sockaddr_in($port, inet_pton(AF_INET, $_[0]))) }
my ($family, $place) = place($address);
socket(my $socket, $family, SOCK_STREAM, ${IPPROTO_SCTP}) or die "socket: $!\\n";
`;
const ASK = `${COMMON} connect($socket, $place) or die "connect: $!\\n"; sysread($socket, my $answer, 100); print $answer;`;
const SERVE = `${COMMON} alarm 0;
bind($socket, $place) or die "bind: $!\\n"; listen($socket, 10) or die "listen: $!\\n"; $| = 1; print "ready\\n";
while (accept(my $client, $socket)) { syswrite($client, $name); close($client) }`;

export function hasSctp(): boolean {
  try {
    new RawSocket({ domain: constants.AF_INET, type: constants.SOCK_STREAM, protocol: IPPROTO_SCTP }).close();
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === 'EPROTONOSUPPORT') return false;
    throw error;
  }
}

/** A server in a pod that answers with the pod's name. */
export class SctpEcho {
  readonly #process: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#process = child;
  }

  static async start(pod: Host): Promise<SctpEcho> {
    const child = perl(pod.netns, SERVE, ['::', String(POD_PORT), pod.name]);
    await new Promise<void>((resolve, reject) => {
      child.stdout!.once('data', () => resolve());
      child.once('exit', (code) => reject(new Error(`the SCTP server of ${pod.name} ended with ${code}`)));
    });
    return new SctpEcho(child);
  }

  stop(): void {
    this.#process.kill('SIGKILL');
  }
}

/** Who answers. */
export async function sctpAsk(netns: string, address: string, port: number): Promise<string> {
  const child = perl(netns, ASK, [address, String(port)]);
  let answer = '';
  child.stdout!.on('data', (data) => {
    answer += data;
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`asking ${address}:${port} by SCTP ended with ${code}`);
  return answer;
}

function perl(netns: string, script: string, args: string[]): ChildProcess {
  const argv = ['--pdeathsig', 'KILL', 'nsenter', `--net=/run/netns/${netns}`, '--', 'perl', '-e', script, ...args];
  return spawn('setpriv', argv, { stdio: ['ignore', 'pipe', 'inherit'] });
}
