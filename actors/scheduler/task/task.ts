import { ShoalError, type WireError } from '../../../core/errors.ts';
import { unpackHashes } from '../../../core/hash-page.ts';
import { digestOfTask, type HostId, type TaskId } from '../../../core/ids.ts';
import type { LogCreated } from '../../../core/log-messages.ts';
import { pieceLengthFor } from '../../../core/piece.ts';
import type { Probed } from '../../../core/probed.ts';
import type { Source } from '../../../core/source.ts';
import type { PieceFailure, SyncReply, SyncRequest, TaskState } from '../../../core/sync-messages.ts';
import type { Joined, Synced } from '../../../scheduling/ledger.ts';
import { TaskHoldings } from '../holdings.ts';
import type { TaskLog } from '../task-log.ts';
import type { SchedulerWorld } from '../world.ts';
import { abstain } from './abstain.ts';
import { TaskChart } from './chart.ts';
import { TaskClaim } from './claim.ts';
import { TaskContent } from './content.ts';
import { TaskLeases } from './leases.ts';
import { TaskPeer } from './peer.ts';
import { TaskRecords } from './records.ts';
import { Resampling } from './resampling.ts';
import { StuckPeers } from './stuck-peers.ts';
import { Suspects } from './suspects.ts';
import { TaskShown } from './view.ts';
import { TaskWord } from './word.ts';

type Mismatch = NonNullable<SyncRequest['mismatch']>;

/** A download is over when nobody has wanted pieces for this long: who compares the whole wants none either. */
const OVER_MS = 5_000;
/** Who syncs that often is heard in time of all that it begins. */
const OFTEN_MS = 500;

/** One task in the scheduler that owns its partition: takes syncs, gives leases. */
export class TaskActor {
  readonly taskId: TaskId;
  readonly shown: TaskShown;
  readonly #world: SchedulerWorld;
  readonly #chart: TaskChart;
  readonly #content: TaskContent;
  readonly #claim: TaskClaim;
  readonly #peers = new Map<HostId, TaskPeer>();
  readonly #resampling: Resampling;
  readonly #suspects = new Suspects();
  readonly #leases: TaskLeases;
  readonly #records: TaskRecords;
  #restsSinceMs = 0;
  /** Peers that wanted pieces at the last look. */
  #wanting = 0;

  constructor(world: SchedulerWorld, log: TaskLog, taskId: TaskId) {
    this.#world = world;
    this.taskId = taskId;
    const content = new TaskContent(taskId);
    const claim = new TaskClaim(world, content);
    const peers = this.#peers;
    this.#content = content;
    this.#claim = claim;
    this.shown = new TaskShown(() => this.state, content, claim, peers);
    this.#records = new TaskRecords(world, log, content, claim);
    this.#chart = new TaskChart(world, taskId, { records: this.#records, reads: claim.reads, claim });
    this.#resampling = new Resampling(world, taskId, claim, this.#chart);
    const stuck = new StuckPeers(world, content, claim, peers, this.#chart);
    const word = new TaskWord(world, claim, this.#chart, stuck, this.#suspects);
    this.#leases = new TaskLeases({ world, content, claim, peers, word });
    claim.onFree = () => this.#leases.pushSoon();
  }

  get state(): TaskState {
    return this.#chart.state;
  }

  get ended(): boolean {
    return this.#chart.ended;
  }

  get error(): WireError | undefined {
    return this.#chart.error;
  }

  /** Whether it is known how the content is cut. */
  get isCut(): boolean {
    return this.#content.pieces !== undefined;
  }

  /** How many hosts want pieces, as of half a second ago at most. */
  get wanting(): number {
    return this.#wanting;
  }

  /** Pieces that account is kept of. */
  get pieces(): number {
    return this.#claim.ledger.pieces;
  }

  /** Whether at most one host takes part, and it wants nothing any more. */
  get isResting(): boolean {
    const [peer] = this.#peers.values();
    return this.#peers.size <= 1 && peer?.wants !== true;
  }

  /** Whether no host takes part, and no hash of a piece is known. */
  get isDeserted(): boolean {
    return this.#peers.size === 0 && this.#claim.ledger.isEmpty && this.#claim.claims.end === 0;
  }

  /** Takes up what the log and the hosts know of the task. */
  recover(created: LogCreated | undefined, hashes: readonly Uint8Array[]): void {
    this.#chart.send({ type: 'log.read' });
    if (created) {
      for (const source of created.sources) this.#content.addSource(source);
      if (created.probed) this.#learn(created.probed);
      else if (created.pieceLength !== undefined) this.#setGeometry(created.length, created.pieceLength);
      this.#content.audience = created.audience;
      this.#content.home = created.home;
    }
    this.#claim.claims.load(hashes.flatMap((page) => unpackHashes(page) ?? []));
    this.#holdAll();
  }

  #holdAll(): void {
    for (const [hostId, holding] of this.#world.holdings.hosts(this.taskId)) this.hold(hostId, holding);
  }

  /** A host said what it holds, outside a sync. */
  hold(hostId: HostId, holding: 'complete' | Uint8Array): void {
    this.#content.heldFor(this.#world.holdings.audience(this.taskId));
    const { pieces } = this.#content;
    if (pieces === undefined || this.#peers.has(hostId) || this.#world.hosts.get(hostId) === undefined)
      return;
    const bits = TaskHoldings.bits(holding, pieces);
    if (bits === undefined) return;
    this.#join(hostId, false, false).hold(this.#claim.vouchedBits(hostId, bits));
  }

  /** It is known what the hosts hold: the rest may be read from the origin. */
  recovered(): void {
    for (const [hostId, peer] of this.#peers) {
      if (peer.wants) this.#join(hostId, peer.mayReadOrigin, true);
    }
    this.#leases.pushToIdle();
  }

  /** A host is gone, or came back as another incarnation, or dropped the task. */
  lose(hostId: HostId): void {
    this.#claim.lose(hostId);
    this.#suspects.forget(hostId);
    this.#peers.delete(hostId);
    this.#chart.send({ type: 'host.lost', hostId });
  }

  /** A host that resolved the URL, asked by this scheduler or not, told what it learnt, and reads the first bytes now. */
  resolved(hostId: HostId, source: Source, probed: Probed, readingBytes: number, wasAsked: boolean): void {
    this.#content.addSource(source);
    this.#learn(probed);
    if (wasAsked) this.#claim.asks(hostId);
    const { pieceLength, pieces = 1 } = this.#content;
    // A host that has synced already says itself what it reads.
    if (readingBytes === 0 || pieceLength === undefined || this.#peers.has(hostId)) return;
    const count = Math.min(pieces, Math.ceil(readingBytes / pieceLength));
    const running = Array.from({ length: count }, (_, piece) => piece);
    const nowMs = this.#world.clock.now();
    this.#join(hostId, true, true).sync({ running, queued: [], seenNumber: 0, nowMs });
  }

  #join(hostId: HostId, canReadOrigin: boolean, wants: boolean): Joined {
    const { hosts } = this.#world;
    const zone = hosts.get(hostId)?.alive.zone;
    const mayReadOrigin = this.#mayReadOrigin(hostId, canReadOrigin);
    return this.#claim.ledger.join(hostId, { role: hosts.role(hostId), zone, mayReadOrigin, wants });
  }

  /** Where the origin is left to seeds, others read only what a seed has no credentials for. */
  #mayReadOrigin(hostId: HostId, canReadOrigin: boolean): boolean {
    const { originReaders, hosts } = this.#world;
    if (originReaders === 'all' || !this.#content.isOpen) return canReadOrigin;
    return canReadOrigin && hosts.role(hostId) === 'seed';
  }

  // --- sync ---

  /** Takes what a host says, and answers with its whole set of leases. */
  sync(hostId: HostId, request: SyncRequest): SyncReply {
    const known = this.#peers.get(hostId);
    if (known && known.incarnation !== request.incarnation) this.lose(hostId);
    const peer = this.#peers.get(hostId) ?? new TaskPeer(request.incarnation, this.#world.clock.now());
    const weight = peer.weigh(request, this.#world.epoch);
    if (weight === 'baseless') return { status: 'full', epoch: this.#world.epoch };
    if (weight === 'new') {
      this.#peers.set(hostId, peer);
      const { synced, any } = this.#take(hostId, peer, request);
      if (peer.wants && known === undefined) this.#leases.recruitSeeds();
      if (peer.wants) this.#leases.callHolders();
      if (!peer.wants) this.#rest(hostId, peer, request);
      else if (this.state === 'idle') this.#chart.send({ type: 'work.began' });
      if (peer.wants && this.state !== 'failed') this.#leases.grant(synced, peer, request.urgent);
      if (any) this.#leases.pushToIdle(hostId);
    }
    const set = this.#leases.setFor(hostId, peer, request.hashCursor, request.seen.epoch);
    peer.knowsError ||= set.error !== undefined;
    const intervalMs = this.#world.intervalMs(this.#peers.size);
    peer.intervalMs = intervalMs;
    return { status: 'ok', seq: request.seq, intervalMs, ...set };
  }

  /** Applies a sync; tells whether the host holds anything that it did not say before. */
  #take(hostId: HostId, peer: TaskPeer, request: SyncRequest): { synced: Synced; any: boolean } {
    const nowMs = this.#world.clock.now();
    const sameEpoch = request.seen.epoch === this.#world.epoch;
    const { queued, wants } = request;
    // Of a host that reads elsewhere no word counts: one client's registry does not speak for that of another.
    const mayBegin = request.mayReadOrigin || request.pieceLength !== undefined;
    const isOf = this.#content.isOf(request.home, mayBegin);
    const told = isOf ? request : abstain(request);
    const { failures, mismatch } = told;
    // Who wants nothing keeps nobody from reading what it says to be reading.
    const running = wants ? request.running : [];
    for (const source of request.sources) this.#content.addSource(source);
    if (told.probed) this.#probed(hostId, told.probed);
    if (told.audience) this.#content.heldFor(told.audience);
    if (told.pieceLength !== undefined) this.#setGeometry(told.length, told.pieceLength);
    peer.mayReadOrigin = this.#mayReadOrigin(hostId, told.mayReadOrigin);
    // A scheduler just born leases nothing from the origin before it has heard what the hosts hold.
    const joined = this.#join(hostId, told.mayReadOrigin && nowMs >= this.#world.recoveredAtMs, wants);
    if (this.#claim.takeHashes(hostId, told)) this.#records.hashesCame();
    const { any, ...holdings } = this.#claim.holdings(hostId, told);
    const seenNumber = sameEpoch ? request.seen.number : 0;
    const failed = failures.filter(({ count }) => count > 0);
    const synced = joined.sync({ ...holdings, failures: failed, running, queued, seenNumber, nowMs });
    for (const failure of failures) {
      if (failure.parent === 'origin') this.#originFailed(hostId, peer, failure);
      if (failure.parent === 'origin' || !this.#claim.ledger.knows(failure.parent)) continue;
      const accused = this.#suspects.accuse(failure, this.pieces);
      if (accused !== undefined) this.#leases.tell(accused);
    }
    if (request.rechecked && this.#suspects.rechecked(hostId, request.rechecked)) {
      this.#claim.ledger.pardon(hostId);
    }
    if (mismatch && seenNumber >= peer.settledNumber) this.#contradicted(hostId, told, mismatch);
    peer.synced(request, nowMs);
    return { synced, any };
  }

  /** A host has all it wanted, or gave up: what it holds stays known while it lives. */
  #rest(hostId: HostId, peer: TaskPeer, { delivery }: SyncRequest): void {
    this.#chart.send({ type: 'probe.ended', hostId });
    if (delivery && peer.owesDelivery(delivery)) this.#records.delivered(hostId, delivery);
    const bits = this.#claim.heldBits(hostId);
    if (bits === undefined || bits.count === 0) return;
    const holding = bits.complete ? 'complete' : bits.toBytes();
    this.#world.holdings.set(this.taskId, hostId, holding, this.#content.audience);
  }

  // --- what is known of the content ---

  #probed(hostId: HostId, probed: Probed): void {
    this.#chart.send({ type: 'probe.ended', hostId });
    this.#learn(probed);
  }

  #learn(probed: Probed): void {
    const news = this.#content.learn(probed);
    if (news === 'nothing') return;
    this.#claim.ledger.setRanges(probed.ranges);
    if (news === 'no-ranges') return;
    this.#setGeometry(probed.length, pieceLengthFor(probed.length));
  }

  #setGeometry(length: number | undefined, pieceLength: number): void {
    const news = this.#content.setGeometry(length, pieceLength);
    if (news === undefined) return;
    if (length !== undefined) this.#claim.ledger.setGeometry({ length, pieceLength });
    if (news === 'length') return this.#chart.send({ type: 'length.known' });
    this.#chart.send({ type: 'geometry.known' });
    this.#holdAll();
  }

  // --- failures ---

  #originFailed(hostId: HostId, peer: TaskPeer, { reason, error }: PieceFailure): void {
    if (error) peer.error = error as WireError;
    this.#chart.send({ type: 'probe.ended', hostId });
    if (reason !== 'origin-changed' || digestOfTask(this.taskId) !== undefined) return;
    this.#refute(new ShoalError('ERR_TASK_CHANGED', 'the origin has other content now'));
  }

  #refute(error: ShoalError): void {
    this.#chart.send({ type: 'content.refuted', error: error.toWire() });
  }

  /** The whole contradicts the digest: whatever comes of it, what hosts say of the whole as it was is old then. */
  #contradicted(hostId: HostId, { mayReadOrigin }: SyncRequest, mismatch: Mismatch): void {
    // A sample of a stream costs as much as all of it: the second read is the better witness.
    const maySample = mayReadOrigin && this.#content.probed?.ranges !== false;
    const outcome = this.#resampling.take(hostId, mismatch, maySample);
    if (outcome === 'waits') return;
    for (const peer of this.#peers.values()) peer.settledNumber = peer.setNumber + 1;
    const next = this.#content.doubt(outcome === 'source');
    if (next === 'nothing') this.#records.withdrawn();
    else if (next === 'read-again') this.#readAgain();
    else this.#dropSource();
  }

  /** One read of a source may have been wrong: all of it is read once more. */
  #readAgain(): void {
    this.#world.log.warn({ taskId: this.taskId }, 'the content contradicts its digest and is read again');
    this.#content.forget();
    this.#dropClaim();
    this.#chart.send({ type: 'claim.dropped' });
  }

  #dropClaim(): void {
    this.#claim.drop();
    this.#records.dropped();
    for (const peer of this.#peers.values()) {
      peer.claimNumber = peer.setNumber + 1;
      peer.hashCursor = 0;
    }
  }

  /** The source has other content than the digest says: it is banned, and the next one begins from nothing. */
  #dropSource(): void {
    const source = this.#content.dropSource();
    if (source) this.#records.banned(source);
    this.#dropClaim();
    if (this.#content.sources.length > 0) return this.#chart.send({ type: 'claim.dropped' });
    const message = `no source gives content of ${digestOfTask(this.taskId) ?? this.taskId}`;
    this.#refute(new ShoalError('ERR_DIGEST_MISMATCH', message));
  }

  /** Whether a failed task begins anew: this is another download than those that failed with it. */
  revivedBy(hostId: HostId, { sources, base, wants }: SyncRequest): boolean {
    if (this.state !== 'failed' || base !== 0 || !wants || sources.length === 0) return false;
    return this.#peers.get(hostId)?.knowsError ?? true;
  }

  // --- time ---

  /** Called twice a second. */
  tick(nowMs: number): void {
    if (this.ended) return;
    const { ledger } = this.#claim;
    // Who is asked to sync less often tells later that it has begun.
    const graceMs = Math.max(0, this.#world.intervalMs(this.#peers.size) - OFTEN_MS);
    for (const hostId of ledger.expire(nowMs, graceMs)) {
      const peer = this.#peers.get(hostId);
      if (peer?.wants) this.#leases.push(hostId, peer);
    }
    if (this.state === 'idle') return this.#forgive(nowMs);
    this.#wanting = 0;
    for (const [hostId, peer] of this.#peers) {
      if (peer.isSilent(nowMs)) {
        peer.wants = false;
        ledger.release(hostId, peer.setNumber, nowMs);
      }
      if (peer.wants) this.#wanting += 1;
    }
    this.#claim.proofs.settle(this.#peers, nowMs);
    if (this.#wanting > 0) return;
    this.#restsSinceMs = nowMs;
    this.#chart.send({ type: 'work.ended' });
  }

  /** The next is another download: what was found out in this one is not held against anybody in that. */
  #forgive(nowMs: number): void {
    if (nowMs - this.#restsSinceMs < OVER_MS) return;
    this.#content.forgive();
    this.#claim.forgive();
  }

  remove(): void {
    this.#chart.send({ type: 'remove' });
  }

  /** Its partition is another's now: nothing of it is said or written here any more. */
  cede(): void {
    this.#chart.send({ type: 'cede' });
  }

  /** Writes the hashes that wait to be written: another is to take the task up. */
  writeDown(): void {
    this.#records.manifest();
  }
}
