/**
 * The wire side of a speaker: elections decide who owns a virtual router, and this class makes it so. A takeover, for all VIPs of
 * the virtual router at once, is: flip its routing rule, answer ARP and NDP, announce. Giving up is the reverse, silence first; what
 * still comes is forwarded until the next owner has announced itself (lingering.ts).
 *
 * It runs in a worker thread of its own (thread.ts), so that nothing the main thread does delays an answer; here is no thread,
 * no timer of its own and no Kubernetes client, so that it can be driven by tests.
 */

import type { Claim, Contested, Election } from '../election/election.js';
import { type AnnouncePlan, Announcer, announcePlan } from './announcer.js';
import { arpProbe, decodeArpFrame, gratuitousReplies, gratuitousRequests } from './arp.js';
import { Defence } from './defence.js';
import { Detection } from './detection.js';
import { FormerOwner } from './former-owner.js';
import { Lingering } from './lingering.js';
import { formatMac } from './mac.js';
import type { ConfigurationChange, FromWire, WireUplink, WireVirtualRouter } from './messages.js';
import { decodeNdpFrame, ndpProbe, unsolicitedAdvertisements } from './ndp.js';
import { type Form, Outbox, type Outlet } from './outbox.js';
import { type Claims, type Reaction, reactToArp, reactToNdp } from './responder.js';
import { rollCall } from './roll-call.js';
import { Throttle } from './throttle.js';
import type { VipKey } from './vip-key.js';
import { type Vip, type VipChange, VirtualRouters } from './virtual-routers.js';
import type { Witnesses } from './witnesses.js';

/** A LAN interface as the wire uses it; LanPort is the real one. */
export interface Port extends Outlet {
  readonly index: number;
  /** IPv6 addresses (as VipKeys) whose solicitations have to reach this interface from now on, or no longer. */
  listenFor(added: readonly string[], removed: readonly string[]): void;
  /** Looks what its hardware address is. */
  refresh(): void;
  matches(uplink: WireUplink): boolean;
  close(): void;
}

/** The one routing rule per virtual router; packages/ipvs has the real one. */
export interface Rules {
  claim(table: number): void;
  release(table: number): void;
  /** The tables that are claimed in the kernel. */
  list(): number[];
}

/** Where what this node's director does not know goes; FormerOwners of packages/ipvs is the real one. */
export interface Exits {
  own(table: number, former: { uplink: string; mac: string } | undefined, aliveMs: number): void;
  alone(table: number): void;
  linger(table: number): void;
  yield(table: number): void;
}

export interface WireComponents {
  election: Pick<Election, 'configure' | 'mayAnswer' | 'isUncertain' | 'rivalHeard'>;
  rules: Rules;
  exits: Exits;
  /** Makes this host's kernel heed the next announcement of an address, by index of an interface. Otherwise it would have to ask. */
  expectNeighbour(index: number, address: string): void;
  /** For how long after its last sign of life an owner counts as alive to its own kernel, ms. */
  aliveMs: (engine: WireVirtualRouter['engine']) => number;
  /** For how long the kernel of an owner that fell silent may still forward what is passed on to it, ms. */
  silentMs: number;
  openPort(uplink: WireUplink): Port;
  tell(message: FromWire): void;
  /** Monotonic milliseconds. */
  clock: () => number;
  /** Who is listened for when an owner is silent. */
  witnesses?: Pick<Witnesses, 'frame' | 'toAsk'>;
  /** Calls back once, to send what is due then. */
  wakeAt(at: number | undefined): void;
}

/** VIPs that are announced together: these, those on an interface, or all of the virtual router's. Compared by identity. */
interface Batch {
  virtualRouter: string;
  vips?: readonly Vip[];
  uplink?: string;
}

/** What announces the VIPs of a virtual router while it is owned. */
interface Tenure {
  whole: Batch;
  /** Those on one interface, where that has been back: one that comes and goes does not pile bursts up. */
  returned: Map<string, Batch>;
}

/** After a takeover, ms. */
const PROBE_AFTER_MS = 1_000;
const PROBE_EVERY_MS = 60_000;
const CONTENDED_EVERY_MS = 1_000;

/** Of how many VIPs this host's kernel learns the next owner without asking: its table of neighbours may hold 1,024 in all. */
const EXPECTED = 64;

/** How often something is told to neighbours, and how urgent that is (outbox.ts). */
const FIRST = [0, 1] as const;
const AGAIN = [2, 2] as const;

export class Wire {
  readonly #parts: WireComponents;
  readonly #announcer = new Announcer<Batch>();
  /** When to ask whether another station has our VIPs. Those that keep quiet otherwise are found by it. */
  readonly #prober = new Announcer({ burstMs: [0], refreshMs: PROBE_EVERY_MS });
  readonly #defence = new Defence();
  readonly #detection = new Detection();
  readonly #lingering = new Lingering();
  readonly #contentions = new Throttle(CONTENDED_EVERY_MS);
  readonly #outbox = new Outbox(({ to }, error) => this.#failed(`announce on ${to.name}`, error));
  /** What was not announced yet since a takeover, or since it is there. */
  readonly #unannounced = new Set<Batch>();
  readonly #former = new FormerOwner();
  readonly #ports = new Map<string, Port>();
  #uplinks: readonly WireUplink[] = [];
  readonly #routers = new VirtualRouters();
  readonly #owned = new Map<string, Tenure>();
  /** Those that are owned, but whose rule waits for the LAN to be asked. */
  readonly #unrouted = new Set<string>();
  #onSettled: (() => void)[] = [];

  constructor(parts: WireComponents) {
    this.#parts = parts;
  }

  configure({ changed, removed, uplinks }: ConfigurationChange): void {
    this.#uplinks = uplinks ?? this.#uplinks;
    const opened = this.#configurePorts(this.#uplinks);
    const vips = this.#routers.apply(changed, removed);
    this.#listen(vips, opened);
    // Yielding a virtual router that is gone needs its table: it is known until the election has let go of it.
    this.#parts.election.configure(this.#routers.contested);
    for (const name of removed) {
      // Its table may be another one's soon.
      if (this.#lingering.has(name)) this.#endLingering(name);
      this.#former.gone(name);
    }
    this.#routers.forget(removed);
    for (const { name } of changed) {
      const tenure = this.#owned.get(name);
      if (tenure) this.#announcer.change(tenure.whole, this.#parts.clock(), this.#plan(name));
    }
    for (const { ip } of vips.removed) if (!this.#routers.has(ip)) this.#detection.end(ip);
    this.#takeUp(vips, opened);
  }

  /**
   * The link of an interface is there again, or what is on it has moved: its switch may have forgotten where it is, and the neighbours
   * may know another hardware address.
   */
  linkReturned(index: number): void {
    for (const port of this.#ports.values()) {
      if (port.index !== index) continue;
      this.#guarded(`read the hardware address of ${port.name}`, () => port.refresh());
      this.#announceReturned(port.name);
    }
    this.announceDue();
  }

  /** ElectionListener.own */
  own(name: string, lapsed: string | undefined, claim: Claim = 'takeover'): void {
    const router = this.#routers.get(name);
    if (router === undefined) return;
    const now = this.#parts.clock();
    const vips = this.#routers.vipsOf(name);
    const batch: Batch = { virtualRouter: name };
    this.#silence(name);
    this.#owned.set(name, { whole: batch, returned: new Map() });
    this.#lingering.end(name);
    this.#passOn(name, lapsed);
    // Where another node may be the owner, the rule would do harm.
    if (claim === 'resumed') this.#unrouted.add(name);
    else this.#claimRule(router);
    if (claim === 'takeover') this.#announceAnew(batch);
    else for (const { ip } of vips) this.#detection.begin(ip, now);
    // Not at once: the former owner may still answer.
    this.#prober.begin(name, now + PROBE_AFTER_MS);
    this.announceDue();
    this.#parts.tell({ kind: 'own', virtualRouter: name, lapsed });
    if (claim === 'takeover') this.#tellAnnounced(name, vips);
  }

  /** ElectionListener.yield */
  yield(name: string, reason: string, handsOver: boolean): void {
    this.#silence(name);
    this.#unrouted.delete(name);
    this.#prober.end(name);
    for (const { ip } of this.#routers.vipsOf(name)) this.#detection.end(ip);
    if (handsOver) this.#linger(name);
    else this.#releaseRule(name);
    this.#parts.tell({ kind: 'yield', virtualRouter: name, reason });
  }

  /** ElectionListener.contended: once a second at most, as a rival that does not hear goes on for long. */
  contended(name: string): void {
    const tenure = this.#owned.get(name);
    if (tenure === undefined || !this.#contentions.allows(name, this.#parts.clock())) return;
    this.#announceAnew(tenure.whole);
    this.announceDue();
  }

  /** ElectionListener.holder: a rule that an earlier process of this node left behind goes when somebody else is the owner. */
  holder(name: string, node: string | undefined, self: string): void {
    if (node !== undefined && node !== self && !this.#owned.has(name)) {
      if (this.#lingering.has(name)) this.#lingering.takenOver(name, this.#parts.clock());
      else this.#releaseRule(name);
      this.#ask(name);
      this.#wakeForNext();
    }
    this.#parts.tell({ kind: 'holder', virtualRouter: name, node });
  }

  frame(port: Port, bytes: Buffer): void {
    const reaction = this.#react(port, bytes);
    if (reaction?.kind === 'reply') this.#guarded('answer a neighbour', () => port.send([reaction.frame]));
    if (reaction?.kind === 'rival') this.#rival(port, reaction.ip, reaction.mac);
  }

  get contested(): Contested[] {
    return this.#routers.contested;
  }

  /** The virtual routers that this node still forwards for, though it does not own them any more. */
  get lingering(): WireVirtualRouter[] {
    return [...this.#lingering.names].flatMap((name) => this.#routers.get(name) ?? []);
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
    this.#detect();
    for (const batch of this.#announcer.due(this.#parts.clock())) {
      const urgency = this.#unannounced.delete(batch) ? FIRST : AGAIN;
      const { virtualRouter } = batch;
      if (this.#mayAnswer(virtualRouter)) this.#announce(virtualRouter, this.#claimed(this.#vipsIn(batch)), urgency);
    }
    for (const name of this.#prober.due(this.#parts.clock())) {
      if (!this.#mayAnswer(name)) continue;
      this.#put(this.#claimed(this.#routers.vipsOf(name)), PROBES, AGAIN, () => this.#mayAnswer(name));
    }
    for (const ip of this.#defence.due(this.#parts.clock())) this.#defend(ip);
    for (const name of this.#lingering.due(this.#parts.clock())) this.#releaseRule(name);
    for (const name of this.#former.silent(this.#parts.clock()))
      this.#tellExits(name, (table) => this.#parts.exits.alone(table));
    this.#outbox.send(this.#parts.clock());
    this.#wakeForNext();
    this.#settle();
  }

  /** Puts back rules that somebody else took away, as network managers do that flush what they do not know. Call it now and then. */
  keepRules(): void {
    this.#guarded('look after the routing rules', () => {
      const owned = [...this.#owned.keys()].filter((name) => !this.#unrouted.has(name) && this.#mayAnswer(name));
      const claimed = owned.length > 0 ? new Set(this.#parts.rules.list()) : undefined;
      for (const name of owned) {
        const table = this.#routers.get(name)?.table;
        if (table === undefined || claimed?.has(table)) continue;
        this.#parts.rules.claim(table);
        this.#parts.tell({
          kind: 'error',
          message: `the rule that routes the VIPs of ${name} was gone, and is put back`,
        });
      }
    });
  }

  /**
   * Asks whether another station has what this node cannot prove to own. One VIP tells, as a virtual router moves as one. To be called often,
   * for as long as nobody is heard two may answer.
   */
  askForOwners(): void {
    for (const name of this.#owned.keys()) {
      const isUncertain = () => this.#parts.election.isUncertain(name);
      if (isUncertain()) this.#put(this.#claimed(this.#routers.vipsOf(name)).slice(0, 1), PROBES, FIRST, isUncertain);
    }
    this.announceDue();
  }

  /** Asks witnesses for a sign of life (roll-call.ts). */
  askWitnesses(widely: boolean): void {
    const stations = this.#parts.witnesses?.toAsk() ?? [];
    for (const port of this.#ports.values()) {
      const addresses = this.#uplinks.find(({ name }) => name === port.name)?.addresses ?? [];
      for (const frames of rollCall(stations, { mac: port.mac, addresses }, widely)) {
        this.#guarded(`ask neighbours on ${port.name}`, () => port.send(frames));
      }
    }
  }

  close(): void {
    for (const port of this.#ports.values()) port.close();
    this.#ports.clear();
    this.#parts.wakeAt(undefined);
  }

  #react(port: Port, bytes: Buffer): Reaction | undefined {
    const claims: Claims = {
      isVip: (ip) => this.#routers.has(ip),
      mayAnswer: (ip) => {
        const vip = this.#routers.vip(ip);
        return vip?.uplink === port.name && !this.#detection.has(ip) && this.#mayAnswer(vip.virtualRouter);
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

  /** On interfaces that were opened just now, for all that there is. */
  #listen({ added, removed }: VipChange, opened: ReadonlySet<string>): void {
    const known = opened.size > 0 ? [...this.#routers.all()] : [];
    for (const port of this.#ports.values()) {
      const isNew = opened.has(port.name);
      const joined = ipv6On(port, isNew ? known : added);
      const left = ipv6On(port, isNew ? [] : removed);
      this.#guarded(`listen for neighbour solicitations on ${port.name}`, () => port.listenFor(joined, left));
    }
  }

  #plan(name: string): AnnouncePlan {
    return announcePlan(this.#routers.get(name)!.announcement);
  }

  /** Ends whatever announces VIPs of the virtual router. */
  #silence(name: string): void {
    if (!this.#owned.delete(name)) return;
    for (const batch of [...this.#announcer.keys()]) {
      if (batch.virtualRouter !== name) continue;
      this.#announcer.end(batch);
      this.#unannounced.delete(batch);
    }
  }

  #mayAnswer(name: string): boolean {
    return this.#owned.has(name) && this.#parts.election.mayAnswer(name);
  }

  #rival(port: Port, ip: VipKey, mac: Buffer): void {
    const vip = this.#routers.vip(ip)!;
    // What was announced on one interface comes in by another that is on the same LAN.
    if ([...this.#ports.values()].some((other) => other.mac.equals(mac))) return;
    if (!this.#owned.has(vip.virtualRouter)) {
      this.#former.heard(vip.virtualRouter, { uplink: port.name, mac: formatMac(mac) });
      // A new owner announcing: business as usual.
      if (this.#lingering.has(vip.virtualRouter)) {
        this.#lingering.announced(vip.virtualRouter, this.#parts.clock());
        this.announceDue();
      }
      return;
    }
    this.#parts.election.rivalHeard(vip.virtualRouter);
    if (!this.#owned.has(vip.virtualRouter)) return; // it was for the election, which has yielded
    const withheld = this.#detection.answered(ip, this.#parts.clock());
    const { defend, report } = this.#defence.challenged(ip, this.#parts.clock());
    if (report) {
      this.#parts.tell({ kind: 'rival', address: vip.address, mac: formatMac(mac), uplink: port.name, withheld });
    }
    if (defend) this.#defend(ip);
    this.#wakeForNext();
  }

  /** Only while the election says so: who has yielded to the rival just now is silent. What is not claimed is not defended. */
  #defend(ip: VipKey): void {
    const vip = this.#routers.vip(ip);
    if (vip === undefined || this.#detection.has(ip) || !this.#mayAnswer(vip.virtualRouter)) return;
    this.#announce(vip.virtualRouter, [vip], FIRST);
    this.#outbox.send(this.#parts.clock());
  }

  /** But for those that somebody else has, or may have. */
  #claimed(vips: readonly Vip[]): readonly Vip[] {
    return this.#detection.size > 0 ? vips.filter(({ ip }) => !this.#detection.has(ip)) : vips;
  }

  /** Asks about new VIPs, and claims those that nobody has. */
  #detect(): void {
    const { ask, free } = this.#detection.due(this.#parts.clock());
    const vipsOf = (ips: readonly VipKey[]) => ips.flatMap((ip) => this.#routers.vip(ip) ?? []);
    this.#put(vipsOf(ask), PROBES, FIRST, () => true);
    for (const [name, vips] of this.#ownedOf(vipsOf(free))) {
      if (this.#unrouted.delete(name)) this.#claimRule(this.#routers.get(name)!);
      this.#begin(name, { virtualRouter: name, vips });
      this.#tellAnnounced(name, vips);
    }
  }

  #tellAnnounced(virtualRouter: string, vips: readonly Vip[]): void {
    this.#parts.tell({ kind: 'announced', virtualRouter, addresses: vips.map(({ address }) => address) });
  }

  #wakeForNext(): void {
    const timed = [this.#announcer, this.#prober, this.#defence, this.#detection, this.#lingering, this.#former];
    const times = [...timed.map(({ nextAt }) => nextAt), this.#outbox.nextAt(this.#parts.clock())].filter(
      (at) => at !== undefined,
    );
    this.#parts.wakeAt(times.length > 0 ? Math.min(...times) : undefined);
  }

  /** Tells which interfaces are new, or not what they were. */
  #configurePorts(uplinks: readonly WireUplink[]): Set<string> {
    const opened = new Set<string>();
    const wanted = new Map(uplinks.map((uplink) => [uplink.name, uplink]));
    for (const port of [...this.#ports.values()]) {
      const uplink = wanted.get(port.name);
      if (uplink !== undefined && port.matches(uplink)) continue;
      port.close();
      this.#ports.delete(port.name);
    }
    for (const uplink of uplinks) {
      if (this.#ports.has(uplink.name)) continue;
      this.#guarded(`listen to neighbours on ${uplink.name}`, () => {
        this.#ports.set(uplink.name, this.#parts.openPort(uplink));
        opened.add(uplink.name);
      });
    }
    return opened;
  }

  /** What virtual routers that are owned already have just got is asked about; what has another place is announced there. */
  #takeUp({ added, removed }: VipChange, opened: ReadonlySet<string>): void {
    const before = new Set(removed.map(({ ip }) => ip));
    const moved = new Set(added.filter(({ ip }) => before.has(ip)));
    const isNew = (vip: Vip) => !moved.has(vip);
    for (const [, vips] of this.#ownedOf(added.filter(isNew))) {
      for (const { ip } of vips) this.#detection.begin(ip, this.#parts.clock());
    }
    for (const [name, vips] of this.#ownedOf([...moved].filter(({ uplink }) => !opened.has(uplink)))) {
      this.#begin(name, { virtualRouter: name, vips });
      this.#prober.begin(name, this.#parts.clock() + PROBE_AFTER_MS);
    }
    for (const uplink of opened) this.#announceReturned(uplink);
    this.announceDue();
  }

  /** All that is owned on an interface. */
  #announceReturned(uplink: string): void {
    for (const [name, { returned }] of this.#owned) {
      if (!this.#routers.vipsOf(name).some((vip) => vip.uplink === uplink)) continue;
      const batch = returned.get(uplink) ?? { virtualRouter: name, uplink };
      returned.set(uplink, batch);
      this.#begin(name, batch);
      this.#prober.begin(name, this.#parts.clock() + PROBE_AFTER_MS);
    }
  }

  /** Announces by a burst what is not all of the virtual router, which has one of its own. */
  #begin(name: string, batch: Batch): void {
    const { whole } = this.#owned.get(name)!;
    // The first that are claimed begin what refreshes all of them.
    if (this.#announcer.has(whole)) {
      this.#unannounced.add(batch);
      this.#announcer.burst(batch, this.#parts.clock(), this.#plan(name));
    } else this.#announceAnew(whole);
  }

  /** Some of them may have gone since. */
  #vipsIn({ virtualRouter, vips, uplink }: Batch): readonly Vip[] {
    if (vips) return vips.filter((vip) => this.#routers.vip(vip.ip) === vip);
    const all = this.#routers.vipsOf(virtualRouter);
    return uplink === undefined ? all : all.filter((vip) => vip.uplink === uplink);
  }

  #announceAnew(whole: Batch): void {
    this.#unannounced.add(whole);
    this.#announcer.begin(whole, this.#parts.clock(), this.#plan(whole.virtualRouter));
  }

  /** By virtual router. */
  #ownedOf(vips: readonly Vip[]): Map<string, Vip[]> {
    const owned = new Map<string, Vip[]>();
    for (const vip of vips) {
      if (!this.#owned.has(vip.virtualRouter)) continue;
      const others = owned.get(vip.virtualRouter);
      if (others) others.push(vip);
      else owned.set(vip.virtualRouter, [vip]);
    }
    return owned;
  }

  #announce(name: string, vips: readonly Vip[], urgency: typeof FIRST | typeof AGAIN): void {
    const { arpForms } = this.#routers.get(name)!.announcement;
    const ipv4 = arpForms.map((form) => (form === 'Request' ? requests : replies));
    this.#put(vips, { ipv4, ipv6: advertisements }, urgency, () => this.#mayAnswer(name));
  }

  /** To the neighbours on each VIP's own interface, one form of all before the next. */
  #put(
    vips: readonly Vip[],
    forms: { ipv4: readonly Form[]; ipv6: Form },
    urgency: typeof FIRST | typeof AGAIN,
    wanted: () => boolean,
  ): void {
    for (const to of this.#ports.values()) {
      const ips = vips.filter(({ uplink }) => uplink === to.name).map(({ ip }) => ip);
      const ipv4 = ips.filter((ip) => typeof ip === 'number');
      const ipv6 = ips.filter((ip) => typeof ip === 'string');
      const post = { to, wanted: () => this.#ports.get(to.name) === to && wanted() };
      this.#outbox.put(urgency[0], { ...post, ips: ipv6, form: forms.ipv6 });
      for (const [index, form] of forms.ipv4.entries()) this.#outbox.put(urgency[index]!, { ...post, ips: ipv4, form });
    }
  }

  #settle(): void {
    if (this.#lingering.size > 0) return;
    for (const resolve of this.#onSettled.splice(0)) resolve();
  }

  #claimRule({ name, table }: WireVirtualRouter): void {
    this.#guarded(`route the VIPs of ${name} into the director`, () => this.#parts.rules.claim(table));
  }

  /** What the director does not know is the former owner's: its kernel has the connections that are open. */
  #passOn(name: string, lapsed: string | undefined): void {
    const until = lapsed === undefined ? undefined : this.#parts.clock() + this.#parts.silentMs;
    const station = this.#former.owns(name, until);
    const aliveMs = this.#parts.aliveMs(this.#routers.get(name)?.engine ?? 'lease');
    this.#tellExits(name, (table) => this.#parts.exits.own(table, station, aliveMs));
  }

  /** The rule stays; what comes in by it and is the next owner's goes to whoever answers for the VIP. */
  #linger(name: string): void {
    this.#lingering.begin(name);
    this.#former.yields(name);
    this.#tellExits(name, (table) => this.#parts.exits.linger(table));
    for (const { address, uplink } of this.#routers.vipsOf(name).slice(0, EXPECTED)) {
      const port = this.#ports.get(uplink);
      if (!port) continue;
      this.#guarded(`expect the next owner of ${address}`, () => this.#parts.expectNeighbour(port.index, address));
    }
  }

  #tellExits(name: string, tell: (table: number) => void): void {
    const table = this.#routers.get(name)?.table;
    if (table === undefined) return;
    this.#guarded(`say where segments of ${name} go that the director does not know`, () => tell(table));
  }

  /** A node that has come after the owner's announcements asks who that is: it may be its successor. */
  #ask(name: string): void {
    if (this.#former.isKnown(name)) return;
    this.#put(this.#routers.vipsOf(name).slice(0, 1), PROBES, AGAIN, () => true);
    this.#outbox.send(this.#parts.clock());
  }

  #endLingering(name: string): void {
    this.#lingering.end(name);
    this.#releaseRule(name);
  }

  #releaseRule(name: string): void {
    const router = this.#routers.get(name);
    if (router === undefined) return;
    this.#former.yields(name);
    this.#guarded(`stop routing the VIPs of ${name} into the director`, () => this.#parts.rules.release(router.table));
    // Not before: with the rule, requests of the next owner's director would be refused.
    this.#tellExits(name, (table) => this.#parts.exits.yield(table));
  }

  /** A failed system call is told, and must not keep the other virtual routers from being served. */
  #guarded(attempt: string, run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#failed(attempt, error as NodeJS.ErrnoException);
    }
  }

  #failed(attempt: string, { message, code }: NodeJS.ErrnoException): void {
    this.#parts.tell({
      kind: 'error',
      message: `could not ${attempt}: ${message}`,
      ...(code === undefined ? {} : { code }),
    });
  }
}

const requests: Form = (ips, mac) => gratuitousRequests(ips as readonly number[], mac);

const replies: Form = (ips, mac) => gratuitousReplies(ips as readonly number[], mac);

const advertisements: Form = (ips, mac) => unsolicitedAdvertisements(ips as readonly string[], mac);

const PROBES: { ipv4: readonly Form[]; ipv6: Form } = {
  ipv4: [(ips, mac) => ips.map((ip) => arpProbe(ip as number, mac))],
  ipv6: (ips, mac) => ips.map((ip) => ndpProbe(ip as string, mac)),
};

function ipv6On(port: Port, vips: readonly Vip[]): string[] {
  return vips.flatMap(({ ip, uplink }) => (typeof ip === 'string' && uplink === port.name ? [ip] : []));
}
