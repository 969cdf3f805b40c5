/** A station on the LAN that keeps asking who has a VIP, and notes who answers: the judge of "one owner at a time". */

import { parseAddress } from '@fairlead/api';
import type { LabHost } from '@fairlead/lab';
import { Rtnetlink } from '@fairlead/netlink';
import { constants, RawSocket, sockaddrLl } from '@fairlead/raw-socket';
import { ARP_REPLY, arpProbe, decodeArpFrame, formatMac, parseMac } from '@fairlead/speaker';

export interface Answer {
  /** Monotonic ms. */
  atMs: number;
  mac: string;
  /** A broadcast nobody had asked for. */
  gratuitous: boolean;
  /** How many questions had been asked by then. */
  question: number;
}

const ASK_EVERY_MS = 20;

export class ArpObserver {
  readonly answers: Answer[] = [];
  readonly #socket: RawSocket;
  readonly #timer: NodeJS.Timeout;
  #asking: NodeJS.Immediate | undefined;
  #questions = 0;
  readonly #waiting = new Set<(answer: Answer) => void>();

  constructor(host: LabHost, vip: string, askEveryMs = ASK_EVERY_MS) {
    const ip = Number(parseAddress(vip).value);
    const rtnetlink = new Rtnetlink({ netns: host.netns });
    const link = rtnetlink.link('eth0')!;
    rtnetlink.close();
    const mac = parseMac(link.address!);
    this.#socket = new RawSocket({
      domain: constants.AF_PACKET,
      type: constants.SOCK_RAW,
      protocol: 0,
      netns: host.netns,
    });
    this.#socket.bind(sockaddrLl({ ifindex: link.index, protocol: constants.ETH_P_ARP }));
    this.#socket.onMessages(
      (messages) => {
        for (const { data } of messages) {
          const packet = decodeArpFrame(data);
          if (packet?.senderIp !== ip) continue;
          const gratuitous = packet.targetIp === ip;
          if (packet.operation !== ARP_REPLY && !gratuitous) continue;
          this.#note({
            atMs: performance.now(),
            mac: formatMac(packet.senderMac),
            gratuitous,
            question: this.#questions,
          });
        }
      },
      () => this.close(), // the lab is being removed
    );
    // A probe (RFC 5227): its sender address is empty, so that nobody's cache is changed by being observed.
    const question = arpProbe(ip, mac);
    const ask = () => {
      this.#questions++;
      this.#socket.send(question);
    };
    // What waits in the socket answers the question before: where this process is late, it is read first.
    this.#timer = setInterval(() => {
      this.#asking = setImmediate(ask);
    }, askEveryMs);
  }

  /** The next answer for which `matches` holds. */
  next(matches: (answer: Answer) => boolean): Promise<Answer> {
    return new Promise((resolve) => {
      const waiter = (answer: Answer) => {
        if (!matches(answer)) return;
        this.#waiting.delete(waiter);
        resolve(answer);
      };
      this.#waiting.add(waiter);
    });
  }

  /** The last of so many more answers to our own questions. */
  async answered(times = 1): Promise<Answer> {
    for (; times > 1; times--) await this.next(({ gratuitous }) => !gratuitous);
    return this.next(({ gratuitous }) => !gratuitous);
  }

  /** Answers to our own questions since `atMs`, by hardware address. */
  answeredSince(atMs: number): Set<string> {
    return new Set(this.answers.filter((answer) => answer.atMs >= atMs && !answer.gratuitous).map(({ mac }) => mac));
  }

  /** Puts frames of the caller's making on the LAN, by the observer's port. */
  send(frames: readonly Buffer[]): void {
    this.#socket.sendBatch(frames);
  }

  close(): void {
    clearInterval(this.#timer);
    clearImmediate(this.#asking);
    this.#socket.close();
  }

  #note(answer: Answer): void {
    this.answers.push(answer);
    for (const waiter of [...this.#waiting]) waiter(answer);
  }
}
