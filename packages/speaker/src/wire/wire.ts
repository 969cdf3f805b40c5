/**
 * The wire side of a speaker: elections decide who owns a virtual router, and this class makes it so. A takeover, for all VIPs of
 * the virtual router at once, is: flip its routing rule, answer ARP and NDP, announce. Giving up is the reverse, silence first; what
 * still comes is forwarded until the next owner has announced itself (lingering.ts).
 *
 * It runs in a worker thread of its own (thread.ts), so that nothing the main thread does delays an answer; here is no thread,
 * no timer of its own and no Kubernetes client, so that it can be driven by tests.
 */

import type { Claim, Contested, Election } from '../election/election.js';
import { decodeArpFrame } from './arp.js';
import { Defence } from './defence.js';
import { Detection } from './detection.js';
import { Guard } from './guard.js';
import { formatMac } from './mac.js';
import type { ConfigurationChange, FromWire, WireUplink, WireVirtualRouter } from './messages.js';
import { decodeNdpFrame } from './ndp.js';
import { AGAIN, FIRST, Neighbours } from './neighbours.js';
import { type Port, Ports } from './ports.js';
import { type Claims, type Reaction, reactToArp, reactToNdp } from './responder.js';
import { rollCall } from './roll-call.js';
import { Routing, type RoutingParts } from './routing.js';
import { Strangers } from './strangers.js';
import { Tenures } from './tenures.js';
import { Throttle } from './throttle.js';
import type { VipKey } from './vip-key.js';
import { placesOf, type Vip, VirtualRouters } from './virtual-routers.js';
import type { Witnesses } from './witnesses.js';

export interface WireComponents extends Omit<RoutingParts, 'routers' | 'ports' | 'guard'> {
  election: Pick<Election, 'configure' | 'mayAnswer' | 'isUncertain' | 'rivalHeard'>;
  openPort(uplink: WireUplink): Port;
  tell(message: FromWire): void;
  /** Who is listened for when an owner is silent. */
  witnesses?: Pick<Witnesses, 'frame' | 'toAsk'>;
  /** Calls back once, to send what is due then. */
  wakeAt(at: number | undefined): void;
}

const CONTENDED_EVERY_MS = 1_000;
/** Whoever gets no answer asks again. */
const MAX_QUESTIONS = 1_024;

export class Wire {
  readonly #parts: WireComponents;
  readonly #guard: Guard;
  readonly #routers = new VirtualRouters();
  readonly #ports: Ports;
  readonly #neighbours: Neighbours;
  readonly #tenures: Tenures;
  readonly #routing: Routing;
  readonly #detection = new Detection();
  readonly #defence = new Defence();
  readonly #strangers = new Strangers();
  readonly #contentions = new Throttle(CONTENDED_EVERY_MS);
  /** Questions that were put off. */
  readonly #questions: { port: Port; bytes: Buffer }[] = [];
  #onSettled: (() => void)[] = [];

  constructor(parts: WireComponents) {
    const { clock } = parts;
    this.#parts = parts;
    this.#guard = new Guard(parts.tell);
    this.#ports = new Ports(parts.openPort, this.#guard);
    this.#neighbours = new Neighbours(this.#ports, this.#guard);
    this.#tenures = new Tenures({
      routers: this.#routers,
      neighbours: this.#neighbours,
      mayAnswer: (name) => this.#mayAnswer(name),
      withheld: this.#detection,
      clock,
    });
    this.#routing = new Routing({ ...parts, routers: this.#routers, ports: this.#ports, guard: this.#guard });
  }

  configure({ changed, removed, uplinks }: ConfigurationChange): void {
    const opened = this.#ports.configure(uplinks);
    const vips = this.#routers.apply(changed, removed);
    const had = new Set(vips.removed.filter((vip) => this.#claims(vip)).map(({ ip }) => ip));
    for (const { ip } of vips.removed) {
      this.#detection.end(ip);
      this.#strangers.forget(ip);
    }
    this.#ports.listen(vips, opened, () => this.#routers.all());
    // Yielding a virtual router that is gone needs its table: it is known until the election has let go of it.
    this.#parts.election.configure(this.#routers.contested);
    for (const name of removed) this.#routing.gone(name);
    this.#routers.forget(removed);
    for (const { name } of changed) this.#tenures.replan(name);
    this.#takeUp(vips.added, had, opened);
  }

  /**
   * The link of an interface is there again, or what is on it has moved: its switch may have forgotten where it is, and the neighbours
   * may know another hardware address.
   */
  linkReturned(index: number): void {
    for (const port of this.#ports) {
      if (port.index !== index) continue;
      this.#guard.run(`read the hardware address of ${port.name}`, () => port.refresh());
      this.#tenures.returned(port.name);
    }
    this.announceDue();
  }

  /**
   * ElectionListener.own. It is announced when this node is woken next, which it asks for at once: what is taken over together is routed
   * before any of it is announced, and no advertisement waits for the announcements of others.
   */
  own(name: string, lapsed: string | undefined, claim: Claim = 'takeover'): void {
    const router = this.#routers.get(name);
    if (router === undefined) return;
    this.#tenures.begin(name);
    // Where another node may be the owner, the rule would do harm.
    this.#routing.own(router, lapsed, claim !== 'resumed');
    if (claim === 'takeover') this.#tenures.announce(name);
    else for (const vip of this.#routers.vipsOf(name)) this.#askAbout(vip);
    this.#wakeForNext();
    this.#parts.tell({ kind: 'own', virtualRouter: name, lapsed });
    if (claim === 'takeover') this.#parts.tell({ kind: 'announced', virtualRouter: name });
  }

  /** ElectionListener.yield */
  yield(name: string, reason: string, handsOver: boolean): void {
    this.#tenures.end(name);
    if (this.#detection.size > 0) for (const { ip } of this.#routers.vipsOf(name)) this.#detection.end(ip);
    this.#routing.yield(name, handsOver);
    this.#wakeForNext();
    this.#parts.tell({ kind: 'yield', virtualRouter: name, reason });
  }

  /** ElectionListener.contended: once a second at most, as a rival that does not hear goes on for long. */
  contended(name: string): void {
    if (!this.#tenures.has(name) || !this.#contentions.allows(name, this.#parts.clock())) return;
    this.#tenures.announce(name);
    this.announceDue();
  }

  /** ElectionListener.holder */
  holder(name: string, node: string | undefined, self: string): void {
    if (node !== undefined && node !== self) {
      for (const { ip } of this.#routers.vipsOf(name)) this.#strangers.forget(ip);
      if (!this.#tenures.has(name)) {
        this.#routing.takenOver(name);
        this.#ask(name);
        this.#wakeForNext();
      }
    }
    this.#parts.tell({ kind: 'holder', virtualRouter: name, node });
  }

  frame(port: Port, bytes: Buffer): void {
    const reaction = this.#react(port, bytes, (name) => this.#putOff(name, port, bytes));
    if (reaction?.kind === 'reply') this.#guard.run('answer a neighbour', () => port.send([reaction.frame]));
    if (reaction?.kind === 'rival') this.#rival(port, reaction.ip, reaction.mac);
  }

  get contested(): Contested[] {
    return this.#routers.contested;
  }

  /** The virtual routers that this node still forwards for, though it does not own them any more. */
  get lingering(): WireVirtualRouter[] {
    return this.#routing.lingering;
  }

  /** Resolves when there are none (any more). */
  settled(): Promise<void> {
    return new Promise((resolve) => {
      this.#onSettled.push(resolve);
      this.#settle();
    });
  }

  /** Sends announcements whose time has come, as many as may go at a time, and asks to be woken for the next ones. */
  announceDue(): void {
    this.#answerWhatWasPutOff();
    this.#detect();
    this.#routing.due();
    this.#tenures.due();
    for (const ip of this.#defence.due(this.#parts.clock())) this.#defend(ip);
    this.#neighbours.send(this.#parts.clock());
    this.#wakeForNext();
    this.#settle();
  }

  /** Puts back rules that somebody else took away, as network managers do that flush what they do not know. Call it now and then. */
  keepRules(): void {
    for (const name of this.#routing.keep(this.#tenures.names.filter((name) => this.#mayAnswer(name)))) {
      this.#parts.tell({
        kind: 'error',
        message: `the rule that routes the VIPs of ${name} was gone, and is put back`,
      });
    }
  }

  /**
   * Asks whether another station has what this node cannot prove to own. One VIP tells, as a virtual router moves as one; rather one that no
   * stranger has. To be called often, for as long as nobody is heard two may answer.
   */
  askForOwners(): void {
    let any = false;
    for (const name of this.#tenures.names) {
      const isUncertain = () => this.#parts.election.isUncertain(name);
      if (!isUncertain()) continue;
      any = true;
      const vips = this.#routers.vipsOf(name);
      const vip =
        vips.find(({ ip }) => !this.#detection.has(ip) && !this.#strangers.has(ip)) ??
        vips.find(({ ip }) => !this.#detection.has(ip));
      if (vip) this.#neighbours.ask(placesOf([vip]), FIRST, isUncertain);
    }
    if (any) this.announceDue();
  }

  /** Asks witnesses for a sign of life (roll-call.ts). */
  askWitnesses(widely: boolean): void {
    const stations = this.#parts.witnesses?.toAsk() ?? [];
    for (const port of this.#ports) {
      const own = { mac: port.mac, addresses: this.#ports.addressesOn(port) };
      for (const frames of rollCall(stations, own, widely)) {
        this.#guard.run(`ask neighbours on ${port.name}`, () => port.send(frames));
      }
    }
  }

  close(): void {
    this.#routing.due();
    this.#ports.close();
    this.#parts.wakeAt(undefined);
  }

  /**
   * An owner that cannot prove to be one may have stood still while another took over: behind this question, that one's announcement may wait in
   * the socket. So it answers when it has heard what else there is, and still may.
   */
  #putOff(name: string, port: Port, bytes: Buffer): boolean {
    if (!this.#parts.election.isUncertain(name)) return false;
    if (this.#questions.length < MAX_QUESTIONS) this.#questions.push({ port, bytes });
    this.#wakeForNext();
    return true;
  }

  #answerWhatWasPutOff(): void {
    for (const { port, bytes } of this.#questions.splice(0)) {
      const reaction = this.#react(port, bytes, () => false);
      if (reaction?.kind === 'reply') this.#guard.run('answer a neighbour', () => port.send([reaction.frame]));
    }
  }

  /** @param putOff whether a question about this virtual router, which may be answered, has to wait */
  #react(port: Port, bytes: Buffer, putOff: (name: string) => boolean): Reaction | undefined {
    const claims: Claims = {
      isVip: (ip) => this.#routers.has(ip),
      mayAnswer: (ip) => {
        const vip = this.#routers.vip(ip);
        if (vip?.uplink !== port.name || this.#detection.has(ip)) return false;
        return this.#mayAnswer(vip.virtualRouter) && !putOff(vip.virtualRouter);
      },
    };
    const { witnesses, clock } = this.#parts;
    const arp = decodeArpFrame(bytes);
    if (arp !== undefined) {
      witnesses?.frame(arp.senderIp, arp.senderMac, clock());
      return reactToArp(arp, port.mac, claims);
    }
    const ndp = decodeNdpFrame(bytes);
    if (ndp === undefined) return undefined;
    witnesses?.frame(ndp.kind === 'advertisement' ? ndp.target : ndp.sourceIp, ndp.sourceMac, clock());
    return reactToNdp(ndp, port.mac, claims);
  }

  #mayAnswer(name: string): boolean {
    return this.#tenures.has(name) && this.#parts.election.mayAnswer(name);
  }

  #rival(port: Port, ip: VipKey, mac: Buffer): void {
    const vip = this.#routers.vip(ip)!;
    // What was announced on one interface comes in by another that is on the same LAN.
    if (this.#ports.has(mac)) return;
    const name = vip.virtualRouter;
    const station = formatMac(mac);
    if (!this.#tenures.has(name)) {
      // A new owner announcing: business as usual.
      if (this.#routing.heard(name, { uplink: port.name, mac: station })) this.announceDue();
      return;
    }
    if (!this.#strangers.isStranger(vip, station, this.#routers.vipsOf(name))) this.#parts.election.rivalHeard(name);
    if (!this.#tenures.has(name)) return; // it was for the election, which has yielded
    if (this.#detection.isFormerOwner(ip, this.#parts.clock())) {
      this.#wakeForNext();
      return;
    }
    // The election goes on, as its claim stands: this is nobody who could own it.
    this.#strangers.heard(ip, station);
    const withheld = this.#detection.answered(ip, this.#parts.clock());
    const { defend, report } = this.#defence.challenged(ip, this.#parts.clock());
    if (report) {
      this.#parts.tell({ kind: 'rival', address: vip.address, mac: station, uplink: port.name, withheld });
    }
    if (defend) this.#defend(ip);
    this.#wakeForNext();
  }

  /** Only while the election says so: who has yielded to the rival just now is silent. What is not claimed is not defended. */
  #defend(ip: VipKey): void {
    const vip = this.#routers.vip(ip);
    if (vip === undefined || this.#detection.has(ip) || !this.#mayAnswer(vip.virtualRouter)) return;
    this.#tenures.say(vip.virtualRouter, placesOf([vip]));
    this.#neighbours.send(this.#parts.clock());
  }

  /** Asks about new VIPs, and claims those that nobody has. */
  #detect(): void {
    const { ask, free } = this.#detection.due(this.#parts.clock());
    const vipsOf = (ips: readonly VipKey[]) => ips.flatMap((ip) => this.#routers.vip(ip) ?? []);
    if (ask.length > 0) this.#neighbours.ask(placesOf(vipsOf(ask)), FIRST, () => true);
    for (const [name, vips] of this.#ownedOf(vipsOf(free))) {
      this.#routing.route(name);
      this.#tenures.announceSome(name, vips);
      this.#parts.tell({ kind: 'announced', virtualRouter: name, addresses: vips.map(({ address }) => address) });
    }
  }

  #wakeForNext(): void {
    const times = [
      ...this.#tenures.nextAt,
      ...this.#routing.nextAt,
      this.#defence.nextAt,
      this.#detection.nextAt,
      this.#neighbours.nextAt(this.#parts.clock()),
      this.#questions.length > 0 ? this.#parts.clock() : undefined,
    ].filter((at) => at !== undefined);
    this.#parts.wakeAt(times.length > 0 ? Math.min(...times) : undefined);
  }

  /**
   * What virtual routers that are owned already have just got is asked about; what this node had before, in another place or in another
   * virtual router, is announced.
   */
  #takeUp(added: readonly Vip[], had: ReadonlySet<VipKey>, opened: ReadonlySet<string>): void {
    for (const [name, vips] of this.#ownedOf(added)) {
      for (const vip of vips) if (!had.has(vip.ip)) this.#askAbout(vip);
      const moved = vips.filter(({ ip, uplink }) => had.has(ip) && !opened.has(uplink));
      if (moved.length > 0) this.#tenures.moved(name, moved);
    }
    for (const uplink of opened) this.#tenures.returned(uplink);
    this.announceDue();
  }

  #askAbout({ ip, inherited }: Vip): void {
    this.#detection.begin(ip, this.#parts.clock(), inherited);
  }

  /** Whether this node owns it, and does not leave it to another station. */
  #claims({ ip, virtualRouter }: Vip): boolean {
    return this.#tenures.has(virtualRouter) && !this.#detection.has(ip);
  }

  /** By virtual router. */
  #ownedOf(vips: readonly Vip[]): Map<string, Vip[]> {
    const owned = new Map<string, Vip[]>();
    for (const vip of vips) {
      if (!this.#tenures.has(vip.virtualRouter)) continue;
      const others = owned.get(vip.virtualRouter);
      if (others) others.push(vip);
      else owned.set(vip.virtualRouter, [vip]);
    }
    return owned;
  }

  /** A node that has come after the owner's announcements asks who that is: it may be its successor. */
  #ask(name: string): void {
    if (this.#routing.knowsOwner(name)) return;
    this.#neighbours.ask(placesOf(this.#routers.vipsOf(name).slice(0, 1)), AGAIN, () => true);
    this.#neighbours.send(this.#parts.clock());
  }

  #settle(): void {
    if (!this.#routing.isSettled) return;
    for (const resolve of this.#onSettled.splice(0)) resolve();
  }
}
