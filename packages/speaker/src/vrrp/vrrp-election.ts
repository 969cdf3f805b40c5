/**
 * The `vrrp` engine: one state machine per virtual router (machine.ts), advertising on the wire. No API server is needed at any moment.
 *
 * A virtual router is known on the wire by its id and its addresses together: ids are hashes of names, so that nobody has to hand
 * them out, and two virtual routers with one id are told apart by having no address in common. The ranking of the nodes becomes their
 * priorities.
 *
 * A node that hears of nobody takes over from nobody: it asks the others when an owner has fallen silent, and needs one answer until its
 * time has come (wire/witnesses.ts). When it hears again after it did not, it listens first, as when it starts.
 */

import { stableHash } from '@fairlead/api';
import { encodeAddress, familyOf } from '@fairlead/netlink';
import type { Absorbed } from '@fairlead/raw-socket';
import type { Contested, Election, ElectionListener } from '../election/election.js';
import { type Difference, Differences, differenceOf, type Mismatch } from './address-lists.js';
import { type Advertisement, type ChecksumForm, MAX_ADDRESSES } from './advertisement.js';
import { Advertiser, type AdvertiserOptions, type Due } from './advertiser.js';
import { DOWN_INTERVALS, type Heard, type VrrpAction, VrrpMachine, type VrrpSettings } from './machine.js';
import { comparable, type Outgoing, type Received, type Segment, type VrrpTransport } from './transport.js';

export interface VrrpElectionOptions extends Pick<AdvertiserOptions, 'intervalMs' | 'onError' | 'clock'> {
  /** This node's name. */
  node: string;
  /** For how long a better node must have been up before it takes over from a healthy owner, ms; default 0. */
  preemptDelayMs?: number;
  transport: Pick<VrrpTransport, 'open'> & AdvertiserOptions['transport'];
  listener: ElectionListener;
  /** Whether somebody is heard of, when an owner is not; absent: that is not looked at. */
  witnesses?: {
    heard(node: string, at: number): void;
    /** `widely`: those, too, that are not where they were. */
    ask(widely: boolean): void;
    /** @param since since when the owner is silent, monotonic ms; @param silent the owner */
    hears(since: number, silent: string | undefined): boolean;
  };
  /** How long a node that starts listens before it takes what nobody seems to own, ms; default: as long as a router waits. */
  hearingMs?: number;
  /** The node that an address belongs to, as far as it is known. */
  nodeOf: (address: string) => string | undefined;
  /** Somebody has advertised one of our virtual routers, or its number, with other addresses for too long. May be told again and again. */
  onMismatch: (mismatch: Mismatch) => void;
  /** Calls `tick` then, once. */
  wakeAt: (at: number | undefined) => void;
}

interface Octets {
  bytes: Buffer;
  digits: string;
}

interface Contest {
  spec: Contested;
  id: number;
  segment: Segment;
  /** See `Due`. */
  segmentKey: string;
  /** The VIPs of the segment's family, by their text: as octets to send, and as hexadecimal digits to compare. */
  octets: ReadonlyMap<string, Octets>;
  /** Of those that are sent. */
  addresses: Buffer[];
  digits: ReadonlySet<string>;
  /** What was sent last: the same again while nothing of it is another. */
  sent: Outgoing | undefined;
  /** What was found to be of this virtual router last, and need not be looked at any more: an advertisement is the same again and again. */
  recognized: Advertisement | undefined;
  machine: VrrpMachine;
  /** Of the last rival that was heard: what it sends is what it understands. */
  checksum: ChecksumForm;
  /** Somebody has advertised it, or owned it here. */
  known: boolean;
  /**
   * What the active router says again and again: it is not told of, but asked for when something else would be due. `watched`: its socket tells when it is
   * late, and nothing is due until then.
   */
  repetition: { of: Received; absorbed: Absorbed; watched: boolean } | undefined;
  /** Who advertised last, and did not say that it stops. */
  active: string | undefined;
  /** Whoever was heard last. */
  rival: { address: string; number: bigint } | undefined;
  /** When the active router becomes suspect; undefined once it has, or when there is none. */
  suspectAt: number | undefined;
  owning: boolean;
  /** Since when the owner is silent, for certain: whatever is heard after that, this node can hear. Or since when it listens. */
  silentSince: number;
  /** Since when it is time to take over, but nobody is heard of. */
  cutOffSince: number | undefined;
  witnessesAskedAt: number;
  /** Asks to be handed over to. */
  claimant: string | undefined;
  handOverAt: number | undefined;
}

const HIGHEST_PRIORITY = 254;
/** With an interval of 100 ms it lets each standby wait 5 ms longer than the one before it. */
const PRIORITY_STEP = 13;
/**
 * So many intervals without an advertisement make the active router's node suspect: well before anybody takes over, so that by then nothing is
 * forwarded to it any more. Not two: the second one may be a little late.
 */
const SUSPECT_INTERVALS = 2.1;
/**
 * From so many intervals after an advertisement on its sender is silent. Not from its last one on: what is heard between that one and the next,
 * such as of its other virtual routers, may be the last that a node hears before it is cut off.
 */
const SILENT_INTERVALS = 1.5;
/** What an owner has said of all its virtual routers is looked at together. */
const CATCH_UP_EARLY_INTERVALS = 0.25;
/** How long an owner waits after a claim, until the other nodes have heard of it too, ms. */
const HAND_OVER_AFTER_MS = 100;
/** How long these then leave it to the claimant, ms. */
const CLAIM_DELAY_MS = 300;
/** How often a node that hears of nobody looks and asks whether somebody is there, ms. */
const CUT_OFF_LOOK_MS = 20;
const CUT_OFF_ASK_MS = 200;
/** Answers that take longer than they should are no cause to listen anew; being cut off for so long is, ms. */
const CUT_OFF_FOR_LONG_MS = 1_000;
const CUT_OFF =
  'since its owner was last heard of, no other node, no gateway and no API server has been: this node seems to be cut off';
/**
 * What nobody has advertised yet is left to the first of the ranking for so many intervals, by the second one, twice as many by the third, and so on:
 * nodes hear of a new virtual router at different times, and without this whoever hears of all first would own all.
 */
const FIRST_INTERVALS = 1;
const MAX_FIRST_PLACES = 3;
/** How long such an election holds back before it looks whether it can be held at all, ms. */
const REOPEN_MS = 1_000;

/** 1 to 254, falling along the ranking; distinct for up to 254 nodes. */
export function priorityOf(node: string, ranking: readonly string[]): number {
  const place = ranking.indexOf(node);
  const step = Math.max(1, Math.min(PRIORITY_STEP, Math.floor((HIGHEST_PRIORITY - 1) / Math.max(1, ranking.length))));
  return place === -1 ? 1 : Math.max(1, HIGHEST_PRIORITY - place * step);
}

/** 1 to 255. */
export function virtualRouterId(name: string): number {
  return (stableHash(name) % 255) + 1;
}

export class VrrpElection implements Election {
  readonly #options: VrrpElectionOptions;
  readonly #contests = new Map<string, Contest>();
  readonly #differences = new Differences();
  #wanted: readonly Contested[] = [];
  #reopenAt: number | undefined;
  readonly #advertiser: Advertiser;
  /** When `tick` will be called. */
  #alarmAt: number | undefined;
  #fit = false;
  /** Set when this node stands for the first time. */
  #hearingUntil: number | undefined;

  constructor(options: VrrpElectionOptions) {
    this.#options = options;
    const onMissed = () => {
      this.#repeatNoMore();
      this.#wake();
    };
    this.#advertiser = new Advertiser({ ...options, isAll: (sent) => this.#isAllThatIsOwned(sent), onMissed });
  }

  configure(contested: readonly Contested[]): void {
    this.#repeatNoMore();
    this.#wanted = contested;
    const wanted = new Set(contested.map(({ name }) => name));
    for (const contest of [...this.#contests.values()]) {
      if (!wanted.has(contest.spec.name)) this.#drop(contest, 'no longer contested by this node');
    }
    this.#reopenAt = undefined;
    for (const spec of contested) this.#enter(spec);
    this.#wake();
  }

  setFit(fit: boolean): void {
    if (fit === this.#fit) return;
    this.#repeatNoMore();
    this.#fit = fit;
    this.#hearingUntil ??= this.#options.clock() + (this.#options.hearingMs ?? 0);
    for (const contest of this.#contests.values()) {
      if (fit) this.#start(contest);
      else this.#handOver(contest, 'this node is no longer fit');
    }
    this.#wake();
  }

  mayAnswer(name: string): boolean {
    const contest = this.#contests.get(name);
    if (contest === undefined) return false;
    const repeatedAt = this.#advertiser.repeatedAt;
    if (repeatedAt !== undefined) contest.machine.advertised(repeatedAt);
    return contest.machine.mayAnswer(this.#options.clock());
  }

  claimed(name: string, node: string | undefined): void {
    const contest = this.#contests.get(name);
    if (contest === undefined) return;
    if (contest.owning) this.#repeatNoMore();
    contest.claimant = node !== undefined && contest.spec.ranking.includes(node) ? node : undefined;
    const handsOver = contest.owning && contest.claimant !== undefined && contest.claimant !== this.#options.node;
    contest.handOverAt = handsOver ? this.#options.clock() + HAND_OVER_AFTER_MS : undefined;
    this.#wake();
  }

  /** Rivals hear each other's advertisements. */
  isUncertain(): boolean {
    return false;
  }

  /** Who is the owner is settled by advertisements; the announcer defends the address meanwhile. */
  rivalHeard(): void {}

  async stop({ release }: { release: boolean }): Promise<void> {
    this.#repeatNoMore();
    for (const contest of [...this.#contests.values()]) this.#drop(contest, 'the speaker stops', release);
    this.#advertiser.send();
    this.#setAlarm(undefined);
  }

  /** An advertisement came in. `absorb`: see `TransportOptions.onReceived`. */
  received(received: Received, absorb?: () => Absorbed): void {
    const now = this.#options.clock();
    const { advertisement, from } = received;
    const contest = this.#contestOf(received, now);
    if (contest === undefined) {
      this.#witnessed(from, now);
      return;
    }
    const isContended = this.#isRepeated(contest);
    if (isContended) this.#repeatNoMore();
    this.#heedAll(contest);
    this.#heard(contest, received, now);
    // A standby that hears an owner well has nothing to decide until it does not, unless it wonders whether their addresses will go on to differ.
    const isAtRest =
      contest.machine.state === 'backup' && contest.active === from && contest.recognized === advertisement;
    if (isAtRest && absorb !== undefined) {
      contest.repetition = { of: received, absorbed: absorb(), watched: false };
      this.#watch(contest);
    }
    if (isContended) this.#wake();
    else this.#wakeFor(contest);
  }

  #heard(contest: Contest, { advertisement, from, checksum }: Received, now: number): void {
    const { priority, intervalMs } = advertisement;
    this.#witnessed(from, now);
    contest.checksum = checksum;
    contest.known = true;
    // Who hears that another stops need not ask whether it can hear.
    contest.silentSince = priority === 0 ? Number.NEGATIVE_INFINITY : now + SILENT_INTERVALS * intervalMs;
    contest.cutOffSince = undefined;
    this.#noteActive(contest, priority === 0 ? undefined : from, now + SUSPECT_INTERVALS * intervalMs);
    if (contest.rival?.address !== from) contest.rival = { address: from, number: comparable(from) };
    const heard = { priority, intervalMs, from: contest.rival.number };
    if (priority === 0 && !contest.owning && contest.claimant !== undefined) {
      this.#leftTo(contest.claimant, contest, heard, now);
      return;
    }
    // Who has a better claim sends an advertisement first, and announces itself next.
    const inTime = contest.machine.mayAnswer(now);
    const wasOwning = contest.owning;
    this.#obey(contest, contest.machine.receive(heard, now), inTime);
    if (!wasOwning || !contest.owning || priority === 0) return;
    this.#advertiser.send();
    this.#options.listener.contended(contest.spec.name);
  }

  #witnessed(address: string, at: number): void {
    const node = this.#nodeOf(address);
    if (node !== undefined) this.#options.witnesses?.heard(node, at);
  }

  /** What the active router has said again meanwhile counts from when it was heard last. */
  #catchUp(contest: Contest): void {
    const since = contest.repetition?.absorbed.since();
    if (since === undefined) return;
    this.#heard(contest, contest.repetition!.of, this.#options.clock() - since);
    this.#watch(contest);
  }

  /** Waits until the active router is late. Who is to take over from it looks at the time instead. */
  #watch(contest: Contest): void {
    const { repetition, rival, machine } = contest;
    if (repetition === undefined || rival === undefined) return;
    const { priority, intervalMs } = repetition.of.advertisement;
    if (machine.wantsToFollow({ priority, intervalMs, from: rival.number })) return;
    repetition.watched = repetition.absorbed.watch(Math.ceil(SUSPECT_INTERVALS * intervalMs), () => {
      repetition.watched = false;
      this.#wake();
    });
  }

  /** From now on this node is told of every advertisement. What came until now counts. */
  #heedAll(contest: Contest): void {
    this.#catchUp(contest);
    contest.repetition?.absorbed.end();
    contest.repetition = undefined;
  }

  #contestOf(received: Received, now: number): Contest | undefined {
    const { advertisement, family, from, uplink } = received;
    let namesake: { contest: Contest; difference: Difference } | undefined;
    for (const contest of this.#contests.values()) {
      if (contest.id !== advertisement.virtualRouterId || contest.segment.family !== family) continue;
      if (contest.recognized === advertisement) return contest;
      const difference = differenceOf(advertisement.addresses, contest.digits);
      if (difference?.apart) {
        if (contest.segment.uplink === uplink) namesake = { contest, difference };
        continue;
      }
      if (this.#isSettled(contest, received, difference, now)) contest.recognized = advertisement;
      return contest;
    }
    // Nodes of the cluster may contest two virtual routers of one number, of which this one contests one.
    if (namesake !== undefined && this.#nodeOf(from) === undefined) {
      this.#isSettled(namesake.contest, received, namesake.difference, now);
    }
    return undefined;
  }

  /** Whether its addresses are ours, or were told not to be: until then, every one of its advertisements is looked at. */
  #isSettled(contest: Contest, received: Received, difference: Difference | undefined, now: number): boolean {
    const { advertisement, from } = received;
    const { virtualRouterId, intervalMs } = advertisement;
    const { name } = contest.spec;
    const sender = `${name} ${from}`;
    if (difference === undefined) {
      this.#differences.over(sender);
      return true;
    }
    if (!this.#differences.lasts(sender, intervalMs, now)) return false;
    this.#options.onMismatch({ ...difference, from, virtualRouterId, name });
    return true;
  }

  /** The owner has handed over to the claimant. */
  #leftTo(claimant: string, contest: Contest, heard: Heard, now: number): void {
    if (claimant === this.#options.node && this.#fit) {
      this.#obey(contest, contest.machine.takeOver(now));
    } else {
      this.#obey(contest, contest.machine.receive(heard, now));
      contest.machine.holdBack(now + CLAIM_DELAY_MS);
    }
    this.#wake();
  }

  /** What is due is done. */
  tick(): void {
    const now = this.#options.clock();
    if (this.#reopenAt !== undefined && now >= this.#reopenAt) {
      this.#reopenAt = undefined;
      for (const spec of this.#wanted) if (!this.#contests.has(spec.name)) this.#enter(spec);
    }
    const soon = now + CATCH_UP_EARLY_INTERVALS * this.#options.intervalMs;
    let isOverdue = false;
    for (const contest of this.#contests.values()) {
      if ((nextAt(contest) ?? Number.POSITIVE_INFINITY) <= soon) this.#catchUp(contest);
      isOverdue ||= isSilent(contest, now);
    }
    // Whoever says anything shows that this node can hear.
    if (isOverdue) for (const contest of this.#contests.values()) this.#catchUp(contest);
    const earlyMs = this.#isDue(now) ? this.#options.intervalMs / 2 : 0;
    const more: { contest: Contest; actions: readonly VrrpAction[] }[] = [];
    for (const contest of this.#contests.values()) {
      this.#suspect(contest, now);
      const waits = this.#isRepeated(contest) || this.#isCutOff(contest, now);
      const actions = waits ? [] : contest.machine.tick(now, earlyMs);
      // Those who wait for the same owners hear of all at once, and no advertisement waits until others are taken over.
      for (const action of actions) if (action.kind === 'send') this.#toSend(contest, action.priority);
      if (contest.handOverAt !== undefined || actions.some(({ kind }) => kind !== 'send'))
        more.push({ contest, actions });
    }
    this.#advertiser.send();
    for (const { contest, actions } of more) {
      this.#obey(
        contest,
        actions.filter(({ kind }) => kind !== 'send'),
      );
      if (contest.handOverAt === undefined || now < contest.handOverAt) continue;
      contest.handOverAt = undefined;
      if (!contest.owning) continue;
      this.#handOver(contest, `${contest.claimant} takes over`);
      if (this.#fit) this.#start(contest);
    }
    this.#wake();
  }

  /**
   * Whether an advertisement is due. Those that are due soon then go along, and from then on together: one owner wakes up, and wakes the
   * others, once an interval, not once for every virtual router.
   */
  #isDue(now: number): boolean {
    if (this.#advertiser.isRepeating) return false;
    for (const { machine } of this.#contests.values()) {
      if (machine.state === 'active' && now >= machine.nextAt!) return true;
    }
    return false;
  }

  #start(contest: Contest): void {
    const { clock, witnesses, node, intervalMs } = this.#options;
    const now = clock();
    const { machine, spec, known } = contest;
    contest.silentSince = now;
    machine.start(now);
    machine.holdBack(this.#hearingUntil ?? now);
    const place = Math.min(MAX_FIRST_PLACES, Math.max(0, spec.ranking.indexOf(node)));
    if (!known) machine.holdBack(now + (DOWN_INTERVALS + FIRST_INTERVALS * place) * intervalMs);
    witnesses?.ask(true);
  }

  /** Whether it would be time to take over, but there is nobody to be heard of; tries again later. */
  #isCutOff(contest: Contest, now: number): boolean {
    const { witnesses, onError, intervalMs } = this.#options;
    const { machine, spec } = contest;
    if (witnesses === undefined || !isSilent(contest, now)) return false;
    // Who preempts hears the owner itself.
    const hears = now < contest.silentSince || witnesses.hears(contest.silentSince, this.#nodeOf(contest.active));
    contest.cutOffSince ??= hears ? undefined : now;
    if (contest.cutOffSince === undefined) return false;
    const forLong = now - contest.cutOffSince >= CUT_OFF_FOR_LONG_MS;
    if (hears) {
      contest.cutOffSince = undefined;
      if (!forLong) return false;
      contest.silentSince = now;
      machine.holdBack(now + (DOWN_INTERVALS + 1) * intervalMs);
      witnesses.ask(true);
      return true;
    }
    if (forLong) onError(`take ${spec.name} over`, new Error(CUT_OFF));
    if (now - contest.witnessesAskedAt >= CUT_OFF_ASK_MS) {
      contest.witnessesAskedAt = now;
      witnesses.ask(true);
    }
    machine.holdBack(now + (forLong ? CUT_OFF_ASK_MS : CUT_OFF_LOOK_MS));
    return true;
  }

  #nodeOf(address: string | undefined): string | undefined {
    return address === undefined ? undefined : this.#options.nodeOf(address);
  }

  #enter(spec: Contested): void {
    const before = this.#contests.get(spec.name);
    const parts = before?.spec === spec ? before : partsOf(spec, before?.octets);
    try {
      // Also for one that runs: its socket may have been closed by another configuration.
      const { source } = this.#options.transport.open(parts.segment);
      if (before !== undefined) {
        if (before === parts) return;
        this.#heedAll(before);
        before.machine.configure(this.#settings(spec));
        Object.assign(before, parts);
        return;
      }
      const machine = new VrrpMachine(source, this.#settings(spec));
      this.#contests.set(spec.name, {
        ...parts,
        id: virtualRouterId(spec.name),
        machine,
        checksum: 'rfc9568',
        known: false,
        repetition: undefined,
        active: undefined,
        rival: undefined,
        suspectAt: undefined,
        owning: false,
        silentSince: this.#options.clock(),
        cutOffSince: undefined,
        witnessesAskedAt: Number.NEGATIVE_INFINITY,
        claimant: undefined,
        handOverAt: undefined,
      });
      if (this.#fit) this.#start(this.#contests.get(spec.name)!);
    } catch (error) {
      this.#options.onError(`contest ${spec.name} by VRRP`, error as Error);
      if (before !== undefined) this.#drop(before, 'it cannot be contested any more');
      this.#reopenAt = this.#options.clock() + REOPEN_MS;
    }
  }

  #settings(spec: Contested): VrrpSettings {
    return {
      priority: priorityOf(this.#options.node, spec.ranking),
      intervalMs: this.#options.intervalMs,
      preempt: spec.preempt,
      preemptDelayMs: this.#options.preemptDelayMs ?? 0,
    };
  }

  #drop(contest: Contest, reason: string, release = true): void {
    this.#handOver(contest, reason, release);
    this.#contests.delete(contest.spec.name);
  }

  #handOver(contest: Contest, reason: string, release = true): void {
    const inTime = contest.machine.mayAnswer(this.#options.clock());
    this.#heedAll(contest);
    const actions = contest.machine.stop(reason);
    this.#obey(contest, release ? actions : actions.filter(({ kind }) => kind !== 'send'), inTime);
  }

  /** @param handsOver whether nobody else can be the owner yet, when this node yields */
  #obey(contest: Contest, actions: readonly VrrpAction[], handsOver = false): void {
    const { listener } = this.#options;
    const { name } = contest.spec;
    for (const action of actions) {
      if (action.kind === 'send') {
        this.#toSend(contest, action.priority);
        continue;
      }
      // Who takes over says so first, and who gives up goes on with what comes next.
      this.#advertiser.send();
      if (action.kind === 'own') {
        const lapsed = this.#nodeOf(contest.active);
        // Soon it is repeated together with what this node owned before.
        this.#repeatNoMore();
        this.#heedAll(contest);
        contest.active = undefined;
        contest.suspectAt = undefined;
        contest.owning = true;
        listener.own(name, lapsed, contest.known ? 'takeover' : 'first');
        contest.known = true;
        listener.holder(name, this.#options.node);
      } else {
        contest.owning = false;
        listener.yield(name, action.reason, handsOver);
      }
    }
  }

  #suspect(contest: Contest, now: number): void {
    if (contest.suspectAt === undefined || now < contest.suspectAt) return;
    contest.suspectAt = undefined;
    const node = this.#nodeOf(contest.active);
    this.#options.witnesses?.ask(false);
    if (node !== undefined) this.#options.listener.suspect(node);
  }

  #noteActive(contest: Contest, from: string | undefined, suspectAt: number): void {
    if (contest.owning) return;
    const before = contest.active;
    contest.active = from;
    contest.suspectAt = from === undefined ? undefined : suspectAt;
    if (from === before || from === undefined) return;
    this.#options.listener.holder(contest.spec.name, this.#options.nodeOf(from) ?? from);
  }

  #toSend(contest: Contest, priority: number): void {
    const { id: virtualRouterId, addresses, checksum, sent, spec, segment, segmentKey } = contest;
    const isAsBefore = sent?.checksum === checksum && sent.advertisement.priority === priority;
    const { intervalMs } = this.#options;
    if (!isAsBefore) contest.sent = { advertisement: { virtualRouterId, priority, intervalMs, addresses }, checksum };
    this.#advertiser.put({ name: spec.name, packet: contest.sent!, segment, segmentKey });
  }

  /** And goes on being so: nobody waits to be handed over to. */
  #isAllThatIsOwned(sent: readonly Due[]): boolean {
    const names = new Set(sent.map(({ name }) => name));
    for (const { spec, owning, handOverAt } of this.#contests.values()) {
      if (owning !== names.has(spec.name) || handOverAt !== undefined) return false;
    }
    return true;
  }

  /** From now on this node sends every advertisement itself. What was repeated until now counts as sent. */
  #repeatNoMore(): void {
    const at = this.#advertiser.take();
    if (at !== undefined) for (const { machine } of this.#contests.values()) machine.advertised(at);
  }

  /** Whether it is advertised without this election's doing anything. */
  #isRepeated({ owning }: Contest): boolean {
    return owning && this.#advertiser.isRepeating;
  }

  /** After anything may have changed. */
  #wake(): void {
    this.#advertiser.send();
    this.#setAlarm(this.#dueFrom(Number.NEGATIVE_INFINITY));
  }

  /**
   * After an advertisement, of which there may be hundreds a second. Most put off what would happen without them, for one virtual router; the last of
   * those that are sent together does so for all, and then the alarm is put off, too. One that is a little early costs less than that.
   */
  #wakeFor(contest: Contest): void {
    this.#advertiser.send();
    const at = this.#nextAt(contest);
    const alarmAt = this.#alarmAt;
    if (alarmAt === undefined || (at !== undefined && at < alarmAt)) {
      if (at !== undefined) this.#setAlarm(at);
      return;
    }
    const putOff = alarmAt + this.#options.intervalMs / 2;
    const due = this.#dueFrom(putOff);
    if (due === undefined || due >= putOff) this.#setAlarm(due);
  }

  /** When something is due next; anything that is due before `early` will do, where there is such. */
  #dueFrom(early: number): number | undefined {
    let due = this.#reopenAt;
    for (const contest of this.#contests.values()) {
      if (due !== undefined && due < early) return due;
      due = earlier(due, this.#nextAt(contest));
    }
    return due;
  }

  /** When something is due of it that its sockets do not see to. */
  #nextAt(contest: Contest): number | undefined {
    const isAtRest = contest.repetition?.watched || this.#isRepeated(contest);
    return isAtRest ? contest.handOverAt : nextAt(contest);
  }

  #setAlarm(at: number | undefined): void {
    this.#alarmAt = at;
    this.#options.wakeAt(at);
  }
}

/** What follows from the VIPs. `known`: octets of before, as far as there are any, so that one VIP more costs one. */
function partsOf(
  spec: Contested,
  known: ReadonlyMap<string, Octets> = new Map(),
): Pick<Contest, 'spec' | 'segment' | 'segmentKey' | 'octets' | 'addresses' | 'digits' | 'sent' | 'recognized'> {
  const family = spec.vips.some(({ address }) => familyOf(address) === 'ipv4') ? 'ipv4' : 'ipv6';
  const vips = spec.vips.filter(({ address }) => familyOf(address) === family);
  const wanted = new Set(vips.map(({ address }) => address));
  // What was there before comes first, and is sent: who has not heard of the rest recognizes the virtual router by it.
  const octets = new Map([...known].filter(([address]) => wanted.has(address)));
  for (const address of wanted) if (!octets.has(address)) octets.set(address, octetsOf(address));
  const all = [...octets.values()];
  const { uplink } = vips[0]!;
  return {
    spec,
    segment: { family, uplink },
    segmentKey: `${family} ${uplink}`,
    octets,
    addresses: all.slice(0, MAX_ADDRESSES).map(({ bytes }) => bytes),
    digits: new Set(all.map(({ digits }) => digits)),
    sent: undefined,
    recognized: undefined,
  };
}

function octetsOf(address: string): Octets {
  const bytes = encodeAddress(address);
  return { bytes, digits: bytes.toString('hex') };
}

/** Whether nothing was heard for so long that this node is to take over. */
function isSilent({ machine }: Contest, now: number): boolean {
  return machine.state === 'backup' && now >= machine.nextAt!;
}

function nextAt({ machine, suspectAt, handOverAt }: Contest): number | undefined {
  return earlier(earlier(machine.nextAt, suspectAt), handOverAt);
}

function earlier(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.min(a, b);
}
