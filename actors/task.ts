import { type Actor, createActor } from 'xstate';
import { Bitfield } from '../core/bitfield.ts';
import { type Cancel, randomInt } from '../core/clock.ts';
import { ShoalError, toShoalError, type WireError } from '../core/errors.ts';
import { packHashes, unpackHashes } from '../core/hash-page.ts';
import { digestOfTask, type HostId, type TaskId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import type { LogCreated } from '../core/log-messages.ts';
import { pieceCount, pieceLengthFor } from '../core/piece.ts';
import type { Probed, TaskAudience } from '../core/probed.ts';
import type { Source } from '../core/source.ts';
import type { LeaseSet, SyncReply, SyncRequest, TaskState } from '../core/sync-messages.ts';
import { taskMachine } from '../machines/task.ts';
import { Claims } from '../scheduling/claims.ts';
import { Ledger } from '../scheduling/ledger.ts';
import { SUBJECTS } from '../transport/subjects.ts';
import { Holdings } from './holdings.ts';
import type { SchedulerWorld } from './scheduler-world.ts';
import type { TaskLog } from './task-log.ts';

/** What a scheduler remembers of one host's syncs. */
interface PeerRow {
  incarnation: number;
  /** Largest seq applied, and the one that said everything last. */
  lastSeq: number;
  fullSeq: number;
  lastSyncMs: number;
  setNumber: number;
  wants: boolean;
  freeSlots: number;
  transferBytesPerSec: number;
  received: SyncRequest['received'];
  originReasons: Readonly<Record<string, number>>;
  /** Its delivery is in the log. */
  delivered: boolean;
  readonly joinedMs: number;
  error: WireError | undefined;
  /** It was asked for the origin's first bytes: what it read of them is leased. */
  probes: boolean;
  /** It tells hashes of pieces that another scheduler leased to it. */
  veteran: boolean;
  /** Pieces that ran when it was new here, or adrift: this scheduler did not lease them, but they may come from the origin. */
  readonly inherited: Set<number>;
  mayReadOrigin: boolean;
  /** How far it has been told the log of hashes. */
  hashCursor: number;
  /** Since when nothing can be got for it. */
  stuckSinceMs: number | undefined;
}

/** A probe that takes longer is given to another host. */
const PROBE_MS = 5_000;
/** A peer that wants pieces and does not sync for this long has its leases taken back. */
const SILENT_MS = 5_000;
/** Idle children told at once when a sync brought something new; the others ask by themselves. */
const PUSHES = 4;
const MANIFEST_MS = 1_000;
/** Holders asked for hashes at once, and how often. */
const CALLS = 2;
const CALL_MS = 500;
/** Nothing to be got for this long, and the host is told why. */
const STUCK_MS = 3_000;

/** One task in the scheduler that owns its partition: takes syncs, gives leases. */
export class TaskActor {
  readonly taskId: TaskId;
  readonly #world: SchedulerWorld;
  readonly #log: TaskLog;
  readonly #actor: Actor<typeof taskMachine>;
  readonly #peers = new Map<HostId, PeerRow>();
  readonly #banned = new Set<string>();
  #ledger: Ledger;
  #claims = new Claims();
  #length: number | undefined;
  #pieceLength: number | undefined;
  #sources: Source[] = [];
  #audience: TaskAudience = 'public';
  #probed: Probed | undefined;
  #probe: { hostId: HostId; untilMs: number } | undefined;
  /** Who holds pieces whose hash nobody has vouched for: they are not given to others yet. */
  readonly #unvouched = new Map<number, Set<HostId>>();
  #claim = 1;
  #samples: { hostId: HostId; pieces: number[]; untilMs: number } | undefined;
  #idleTimer: Cancel | undefined;
  #manifestTimer: Cancel | undefined;
  #manifestAt = 0;
  #calledMs = Number.NEGATIVE_INFINITY;

  constructor(world: SchedulerWorld, log: TaskLog, taskId: TaskId) {
    this.#world = world;
    this.#log = log;
    this.taskId = taskId;
    this.#ledger = this.#newLedger();
    this.#actor = createActor(
      taskMachine.provide({
        actions: {
          recordCreated: () => this.#recordCreated(),
          recordManifest: () => this.#recordManifest(),
          recordFailed: ({ context }) => this.#recordFailed(context.error),
          recordRetired: () => this.#recordRetired(),
          startIdleTimer: () => this.#startIdleTimer(),
          stopIdleTimer: () => this.#idleTimer?.(),
        },
      }),
    );
    this.#actor.subscribe({
      error: (error) => world.log.error({ taskId, err: toShoalError(error) }, 'task actor crashed'),
    });
    this.#actor.start();
  }

  #newLedger(): Ledger {
    return new Ledger({ random: this.#world.random, slots: this.#world.slots, ranges: true });
  }

  get state(): TaskState {
    return this.#actor.getSnapshot().value;
  }

  get ended(): boolean {
    return this.#actor.getSnapshot().status !== 'active';
  }

  /** Takes up what the log and the hosts know of the task. */
  recover(created: LogCreated | undefined, hashes: readonly Uint8Array[]): void {
    if (created) {
      for (const source of created.sources) this.#addSource(source);
      if (created.probed) this.#know(created.probed);
      else if (created.pieceLength !== undefined) this.#setGeometry(created.length, created.pieceLength);
      this.#audience = created.audience;
    }
    this.#claims.load(hashes.flatMap((page) => unpackHashes(page) ?? []));
    for (const [hostId, holding] of this.#world.holdings.hosts(this.taskId)) this.hold(hostId, holding);
  }

  /** A host said what it holds, outside a sync. */
  hold(hostId: HostId, holding: 'complete' | Uint8Array): void {
    const pieces = this.#pieces;
    if (pieces === undefined || this.#peers.has(hostId) || this.#world.hosts.get(hostId) === undefined)
      return;
    const bits = Holdings.bits(holding, pieces);
    if (bits === undefined) return;
    this.#join(hostId, false, false);
    const vouched = new Bitfield(bits.length);
    for (const piece of this.#vouchedOf(hostId, bits.ones())) vouched.add(piece);
    this.#ledger.setHave(hostId, vouched);
  }

  /** A host is gone, or came back as another incarnation, or dropped the task. */
  lose(hostId: HostId): void {
    this.#ledger.leave(hostId);
    for (const holders of this.#unvouched.values()) holders.delete(hostId);
    this.#peers.delete(hostId);
    if (this.#probe?.hostId === hostId) this.#probe = undefined;
    if (this.#samples?.hostId === hostId) this.#samples = undefined;
  }

  /** The host that resolved the URL told what it learnt, and reads the first bytes right now. */
  resolved(hostId: HostId, source: Source, probed: Probed, readingBytes: number): void {
    this.#addSource(source);
    this.#know(probed);
    // A host that has synced already says itself what it reads.
    if (readingBytes === 0 || this.#pieceLength === undefined || this.#peers.has(hostId)) return;
    this.#join(hostId, true, true);
    const count = Math.min(this.#pieces ?? 1, Math.ceil(readingBytes / this.#pieceLength));
    const running = Array.from({ length: count }, (_, piece) => piece);
    this.#ledger.reconcile(hostId, { running, queued: [], seenNumber: 0, nowMs: this.#world.clock.now() });
  }

  // --- sync ---

  sync(hostId: HostId, request: SyncRequest): SyncReply {
    const nowMs = this.#world.clock.now();
    const before = this.#peers.get(hostId);
    if (before && before.incarnation !== request.incarnation) this.lose(hostId);
    const row = this.#peers.get(hostId) ?? this.#newRow(request.incarnation);
    if (request.seq > row.lastSeq) {
      if (
        request.base !== 0 &&
        (row.fullSeq === 0 || request.base < row.fullSeq || request.base > row.lastSeq)
      ) {
        return { status: 'full', epoch: this.#world.epoch };
      }
      this.#peers.set(hostId, row);
      const added = this.#take(hostId, row, request, nowMs, before === undefined);
      if (added) this.#pushToIdle(hostId, nowMs);
    }
    const set = this.#leaseSet(hostId, row, request.hashCursor, request.seen.epoch);
    const intervalMs = Math.max(LIMITS.syncMinIntervalMs, Math.ceil(LIMITS.syncPerHostMs * this.#active()));
    return { status: 'ok', seq: request.seq, intervalMs, ...set };
  }

  #newRow(incarnation: number): PeerRow {
    return {
      incarnation,
      lastSeq: 0,
      fullSeq: 0,
      lastSyncMs: this.#world.clock.now(),
      setNumber: 0,
      wants: false,
      freeSlots: 0,
      transferBytesPerSec: 0,
      received: { origin: 0, peers: 0, local: 0 },
      originReasons: {},
      delivered: false,
      joinedMs: this.#world.clock.now(),
      error: undefined,
      probes: false,
      veteran: false,
      inherited: new Set(),
      mayReadOrigin: false,
      hashCursor: 0,
      stuckSinceMs: undefined,
    };
  }

  /** Applies a sync; returns whether the host holds pieces that it did not before. */
  #take(hostId: HostId, row: PeerRow, request: SyncRequest, nowMs: number, isNew: boolean): boolean {
    const { epoch } = this.#world;
    const sameEpoch = request.seen.epoch === epoch;
    for (const source of request.sources) this.#addSource(source);
    if (request.probed) this.#learnProbed(hostId, row, request.probed);
    if (request.pieceLength !== undefined) this.#setGeometry(request.length, request.pieceLength);
    row.mayReadOrigin = request.mayReadOrigin;
    // A scheduler just born leases nothing from the origin before it has heard what the hosts hold.
    this.#join(hostId, request.mayReadOrigin && nowMs >= this.#world.recoveredAtMs, request.wants);
    // What it read before this scheduler knew it, it tells in its first syncs, some of which know this epoch already.
    if (!sameEpoch || row.lastSeq === 0 || request.adrift) {
      row.veteran = true;
      for (const piece of request.running) row.inherited.add(piece);
    } else if (request.hashes === undefined) row.veteran = false;
    this.#takeHashes(hostId, row, request, row.veteran);
    const added = this.#takeHave(hostId, row, request);
    for (const failure of request.failures) {
      if (failure.count > 0) this.#ledger.fail(hostId, failure, nowMs);
      if (failure.parent === 'origin')
        this.#originFailed(hostId, row, failure.reason, failure.error as WireError | undefined);
    }
    if (request.mismatch) this.#mismatched(hostId, request.mismatch, request.mayReadOrigin);
    const seenNumber = sameEpoch ? request.seen.number : 0;
    this.#ledger.reconcile(hostId, { running: request.running, queued: request.queued, seenNumber, nowMs });
    row.lastSeq = request.seq;
    row.lastSyncMs = nowMs;
    row.wants = request.wants;
    row.freeSlots = request.freeSlots;
    row.transferBytesPerSec = request.transferBytesPerSec;
    row.received = request.received;
    row.originReasons = request.originReasons ?? {};
    if (row.wants && isNew) this.#recruitSeeds();
    if (row.wants) this.#callHolders(nowMs);
    if (row.wants) this.#actor.send({ type: 'work.began' });
    else this.#rest(hostId, row);
    this.#grant(hostId, row, nowMs, request.urgent);
    return added;
  }

  #takeHave(hostId: HostId, row: PeerRow, request: SyncRequest): boolean {
    if (request.base !== 0) {
      this.#ledger.add(hostId, this.#vouchedOf(hostId, request.added));
      return request.added.length > 0;
    }
    row.fullSeq = request.seq;
    const bits = this.#bits(request.have);
    if (bits === undefined) return false;
    const vouched = new Bitfield(bits.length);
    for (const piece of this.#vouchedOf(hostId, bits.ones())) vouched.add(piece);
    this.#ledger.setHave(hostId, vouched);
    return bits.count > 0;
  }

  /** The pieces that others can be given, for their hash is known; the rest is remembered. */
  #vouchedOf(hostId: HostId, pieces: Iterable<number>): number[] {
    const vouched: number[] = [];
    for (const piece of pieces) {
      if (this.#claims.hashOf(piece) !== undefined) vouched.push(piece);
      else if (piece < LIMITS.piecesPerTask) {
        const holders = this.#unvouched.get(piece);
        if (holders) holders.add(hostId);
        else this.#unvouched.set(piece, new Set([hostId]));
      }
    }
    return vouched;
  }

  #vouched(piece: number): void {
    for (const hostId of this.#unvouched.get(piece) ?? []) this.#ledger.add(hostId, [piece]);
    this.#unvouched.delete(piece);
  }

  #bits(have: Uint8Array | undefined): Bitfield | undefined {
    if (have === undefined || have.length * 8 > LIMITS.piecesPerTask + 7) return undefined;
    const pieces = this.#pieces ?? have.length * 8;
    return have.length === Math.ceil(pieces / 8) ? new Bitfield(pieces, have) : undefined;
  }

  /** Hashes are believed of a host that was leased the piece from the origin; of others only where none is known. */
  #takeHashes(hostId: HostId, row: PeerRow, request: SyncRequest, born: boolean): void {
    const hashes = unpackHashes(request.hashes ?? new Uint8Array()) ?? [];
    for (const { piece, hash } of hashes) {
      const leased = row.probes || row.inherited.has(piece) || this.#ledger.readOrigin(hostId, piece);
      const verdict = this.#claims.claim(hostId, piece, hash, leased || born || request.adrift);
      if (verdict === 'new') this.#vouched(piece);
      if (verdict === 'conflict') {
        this.#world.log.warn({ taskId: this.taskId, hostId, piece }, 'two reads of the origin disagree');
        this.#ledger.disprove(piece);
      }
    }
    if (hashes.length > 0) this.#scheduleManifest();
  }

  #grant(hostId: HostId, row: PeerRow, nowMs: number, urgent?: number): void {
    if (!row.wants || this.state === 'failed') return;
    this.#ledger.grant(hostId, {
      nowMs,
      slots: row.freeSlots,
      bytesPerSec: row.transferBytesPerSec,
      setNumber: row.setNumber + 1,
      ...(urgent === undefined ? {} : { urgent }),
    });
  }

  #leaseSet(hostId: HostId, row: PeerRow, hashCursor: number, seenEpoch: number): LeaseSet {
    const { epoch } = this.#world;
    row.setNumber += 1;
    const leases = this.#ledger.leasesOf(hostId).slice(0, 1024);
    const page = this.#claims.page(seenEpoch === epoch ? hashCursor : 0, LIMITS.hashesPerPage);
    row.hashCursor = page.next;
    const error = this.#errorFor(row);
    return {
      epoch,
      number: row.setNumber,
      leases,
      parents: this.#addresses(hostId, leases),
      claim: this.#claim,
      samples: this.#samples?.hostId === hostId ? this.#samples.pieces : undefined,
      probe: this.#shouldProbe(hostId, row) || undefined,
      hashFrom: page.from,
      hashes: page.entries.length > 0 ? packHashes(page.entries) : undefined,
      length: this.#length,
      pieceLength: this.#pieceLength,
      sources: this.#sources,
      audience: this.#audience,
      state: this.state,
      error,
      etag: this.#probed?.etag,
      ranges: this.#probed?.ranges ?? true,
    };
  }

  #addresses(hostId: HostId, leases: readonly LeaseSet['leases'][number][]): LeaseSet['parents'] {
    const ids = new Set<HostId>();
    for (const { parent } of leases) if (parent !== 'origin') ids.add(parent);
    for (const id of this.#ledger.parentsFor(hostId, LIMITS.parentsInReply)) ids.add(id);
    return [...ids].flatMap((id) => this.#world.hosts.address(id) ?? []).slice(0, 256);
  }

  /** Idle children are told of new pieces at once; those beyond a few ask by themselves. */
  #pushToIdle(except: HostId, nowMs: number): void {
    let pushes = PUSHES;
    for (const hostId of this.#ledger.idleChildren(nowMs)) {
      const row = this.#peers.get(hostId);
      if (hostId === except || row === undefined || !row.wants || row.freeSlots === 0) continue;
      this.#grant(hostId, row, nowMs);
      if (this.#ledger.leasesOf(hostId).length > 0) this.#push(hostId, row);
      pushes -= 1;
      if (pushes === 0) return;
    }
  }

  #push(hostId: HostId, row: PeerRow): void {
    const set = this.#leaseSet(hostId, row, row.hashCursor, this.#world.epoch);
    this.#world.bus.publish(SUBJECTS.leases, { hostId }, { taskId: this.taskId, set });
  }

  /** Seeds are told of content that all may read; they join by syncing. */
  #recruitSeeds(): void {
    if (this.#audience !== 'public' || !this.#sources.some(({ credentials }) => !credentials)) return;
    for (const { hostId, alive } of this.#world.hosts.rows()) {
      if (alive.role !== 'seed' || this.#peers.has(hostId) || this.#ledger.complete(hostId)) continue;
      const set = this.#leaseSet(hostId, this.#newRow(alive.incarnation), 0, 0);
      this.#world.bus.publish(SUBJECTS.leases, { hostId }, { taskId: this.taskId, set });
    }
  }

  /** The hashes of pieces that hosts hold at rest are not known, for the log was lost: some that have all are asked. */
  #callHolders(nowMs: number): void {
    if (nowMs < this.#calledMs + CALL_MS || this.#claims.proven >= (this.#pieces ?? 0)) return;
    this.#calledMs = nowMs;
    let calls = CALLS;
    for (const [hostId, holding] of this.#world.holdings.hosts(this.taskId)) {
      const alive = this.#world.hosts.get(hostId)?.alive;
      if (holding !== 'complete' || alive === undefined || this.#peers.has(hostId)) continue;
      const set = this.#leaseSet(hostId, this.#newRow(alive.incarnation), 0, 0);
      this.#world.bus.publish(SUBJECTS.leases, { hostId }, { taskId: this.taskId, set });
      calls -= 1;
      if (calls === 0) return;
    }
  }

  // --- what is known of the content ---

  #addSource(source: Source): void {
    if (this.#banned.has(source.url) || this.#sources.length >= 16) return;
    if (!this.#sources.some(({ url }) => url === source.url)) this.#sources.push(source);
  }

  #know(probed: Probed): void {
    if (this.#probed !== undefined) return;
    this.#probed = probed;
    this.#audience = probed.audience;
    this.#ledger.setRanges(probed.ranges);
    this.#setGeometry(probed.length, pieceLengthFor(probed.length));
  }

  #learnProbed(hostId: HostId, row: PeerRow, probed: Probed): void {
    row.probes = true;
    if (this.#probe?.hostId === hostId) this.#probe = undefined;
    this.#know(probed);
  }

  #setGeometry(length: number | undefined, pieceLength: number): void {
    // No claim of a host may make this scheduler keep account of more pieces than there can be.
    if (length !== undefined && length > pieceLength * LIMITS.piecesPerTask) return;
    if (this.#pieceLength === undefined) {
      this.#pieceLength = pieceLength;
      this.#length = length;
      if (length !== undefined) this.#ledger.setGeometry({ length, pieceLength });
      this.#actor.send({ type: 'geometry.known' });
      for (const [hostId, holding] of this.#world.holdings.hosts(this.taskId)) this.hold(hostId, holding);
    } else if (this.#length === undefined && length !== undefined && pieceLength === this.#pieceLength) {
      this.#length = length;
      this.#ledger.setGeometry({ length, pieceLength });
      this.#recordCreated();
    }
  }

  get #pieces(): number | undefined {
    const { length, pieceLength } = { length: this.#length, pieceLength: this.#pieceLength };
    return length === undefined || pieceLength === undefined
      ? undefined
      : pieceCount({ length, pieceLength });
  }

  #join(hostId: HostId, mayReadOrigin: boolean, wants: boolean): void {
    const zone = this.#world.hosts.get(hostId)?.alive.zone;
    this.#ledger.join(hostId, { role: this.#world.hosts.role(hostId), zone, mayReadOrigin, wants });
  }

  /** One host at a time is asked for the origin's first bytes while the length is unknown. */
  #shouldProbe(hostId: HostId, row: PeerRow): boolean {
    if (this.#pieceLength !== undefined || !row.wants || this.state === 'failed') return false;
    const nowMs = this.#world.clock.now();
    if (nowMs < this.#world.recoveredAtMs || !row.mayReadOrigin) return false;
    if (this.#probe && this.#probe.untilMs > nowMs) return this.#probe.hostId === hostId;
    this.#probe = { hostId, untilMs: nowMs + PROBE_MS };
    this.#actor.send({ type: 'probe.assigned' });
    return true;
  }

  // --- failures ---

  #originFailed(hostId: HostId, row: PeerRow, reason: string, error: WireError | undefined): void {
    if (error) row.error = error;
    if (this.#probe?.hostId === hostId) this.#probe = undefined;
    if (reason !== 'origin-changed' || digestOfTask(this.taskId) !== undefined) return;
    const changed = new ShoalError('ERR_TASK_CHANGED', 'the origin has other content now');
    this.#actor.send({ type: 'content.refuted', error: changed.toWire() });
  }

  /** What stops a host: the task failed, or for a while nobody has what it lacks and nobody may read it. */
  #errorFor(row: PeerRow): WireError | undefined {
    const { error } = this.#actor.getSnapshot().context;
    if (this.state === 'failed' && error) return error;
    const nowMs = this.#world.clock.now();
    if (!row.wants || !this.#stuck()) row.stuckSinceMs = undefined;
    else row.stuckSinceMs ??= nowMs;
    if (
      row.stuckSinceMs === undefined ||
      nowMs - Math.max(row.stuckSinceMs, this.#world.recoveredAtMs) < STUCK_MS
    ) {
      return undefined;
    }
    if (this.#sources.length === 0) {
      const message = `nobody in the swarm holds ${this.taskId}, and no source is known`;
      return new ShoalError('ERR_DIGEST_NO_SOURCE', message).toWire();
    }
    const told = row.error ?? [...this.#peers.values()].find((peer) => peer.error !== undefined)?.error;
    const message = 'no live host holds what is missing, and none of those that want it may read the origin';
    return told ?? new ShoalError('ERR_SOURCE_FORBIDDEN', message).toWire();
  }

  #stuck(): boolean {
    if (this.#pieceLength !== undefined) return this.#ledger.stuck;
    if (this.#probe && this.#probe.untilMs > this.#world.clock.now()) return false;
    return ![...this.#peers.values()].some(({ mayReadOrigin, wants }) => mayReadOrigin && wants);
  }

  /** The whole contradicts the digest: samples decide between a reader that lied and a source that has other content. */
  #mismatched(hostId: HostId, told: NonNullable<SyncRequest['mismatch']>, mayReadOrigin: boolean): void {
    const nowMs = this.#world.clock.now();
    const answered = told.agreed.length + told.differed.length > 0;
    if (!answered) {
      if (this.#samples && this.#samples.untilMs > nowMs) return;
      if (!mayReadOrigin) return this.#dropSource();
      this.#samples = { hostId, pieces: this.#samplePieces(), untilMs: nowMs + 30_000 };
      return;
    }
    if (this.#samples?.hostId !== hostId) return;
    this.#samples = undefined;
    if (told.differed.length === 0) return this.#dropSource();
    for (const piece of told.differed) {
      const [liar] = this.#claims.claimants(piece);
      if (liar === undefined) continue;
      this.#world.log.warn(
        { taskId: this.taskId, hostId: liar },
        'a reader passed on other bytes than the origin gave',
      );
      this.#ledger.quarantine(liar);
      for (const withdrawn of this.#claims.withdraw(liar)) this.#ledger.disprove(withdrawn);
    }
  }

  /** Two pieces at random of each host that read the origin. */
  #samplePieces(): number[] {
    const { random } = this.#world;
    const byReader = new Map<HostId | undefined, number[]>();
    for (const { piece } of this.#claims.export()) {
      const [reader] = this.#claims.claimants(piece);
      const pieces = byReader.get(reader);
      if (pieces) pieces.push(piece);
      else byReader.set(reader, [piece]);
    }
    const pick = (pieces: number[]) => pieces[randomInt(random, pieces.length)] ?? 0;
    return [
      ...new Set([...byReader.values()].slice(0, 16).flatMap((pieces) => [pick(pieces), pick(pieces)])),
    ];
  }

  /** The source has other content than the digest says: it is banned, and the next one begins from nothing. */
  #dropSource(): void {
    const [source] = this.#sources.splice(0, 1);
    if (source) {
      this.#banned.add(source.url);
      this.#world.emit('source.banned', this.taskId, { taskId: this.taskId, source: source.url });
      this.#world.log.warn(
        { taskId: this.taskId, source: source.url },
        'source contradicts the digest; banned',
      );
    }
    this.#claim += 1;
    this.#claims = new Claims();
    this.#unvouched.clear();
    this.#probed = undefined;
    this.#length = undefined;
    this.#pieceLength = undefined;
    for (const hostId of this.#peers.keys()) this.#ledger.leave(hostId);
    this.#ledger = this.#newLedger();
    if (this.#sources.length > 0) return this.#actor.send({ type: 'claim.dropped' });
    const message = `no source gives content of ${digestOfTask(this.taskId) ?? this.taskId}`;
    this.#actor.send({
      type: 'content.refuted',
      error: new ShoalError('ERR_DIGEST_MISMATCH', message).toWire(),
    });
  }

  /** Whether a failed task can begin anew: somebody came with a source that was not banned. */
  revivedBy(request: SyncRequest): boolean {
    return (
      this.state === 'failed' &&
      request.sources.some(({ url }) => !this.#banned.has(url)) &&
      request.base === 0
    );
  }

  // --- time ---

  /** Called twice a second. */
  tick(nowMs: number): void {
    for (const hostId of this.#ledger.expire(nowMs)) {
      const row = this.#peers.get(hostId);
      if (row?.wants) this.#push(hostId, row);
    }
    let working = false;
    for (const [hostId, row] of this.#peers) {
      if (row.wants && nowMs - row.lastSyncMs > SILENT_MS) {
        row.wants = false;
        this.#ledger.reconcile(hostId, { running: [], queued: [], seenNumber: row.setNumber, nowMs });
      }
      working ||= row.wants;
    }
    if (!working) this.#actor.send({ type: 'work.ended' });
  }

  #active(): number {
    return this.#peers.size;
  }

  /** A host has all it wanted: what it holds stays known while it lives. */
  #rest(hostId: HostId, row: PeerRow): void {
    const bits = this.#ledger.bits(hostId);
    if (bits === undefined || bits.count === 0) return;
    if (bits.complete && !row.delivered && row.received.origin + row.received.peers > 0) {
      row.delivered = true;
      const durationMs = Math.round(this.#world.clock.now() - row.joinedMs);
      const atMs = this.#world.clock.wall();
      this.#log.delivery(this.taskId, hostId, { bytes: row.received, durationMs, atMs });
    }
    this.#world.holdings.set(this.taskId, hostId, bits.complete ? 'complete' : bits.toBytes());
  }

  #startIdleTimer(): void {
    this.#idleTimer?.();
    this.#idleTimer = this.#world.clock.after(LIMITS.idleActorMs, () =>
      this.#actor.send({ type: 'idle.expired' }),
    );
  }

  remove(): void {
    this.#actor.send({ type: 'remove' });
  }

  // --- the log ---

  #recordCreated(): void {
    const { taskId } = this;
    const urls = this.#sources.map(({ url }) => url);
    this.#world.emit('task.created', taskId, {
      taskId,
      sources: urls,
      ...(this.#length === undefined ? {} : { length: this.#length }),
    });
    this.#log.created({
      taskId,
      epoch: this.#world.epoch,
      length: this.#length,
      pieceLength: this.#pieceLength,
      sources: this.#sources,
      audience: this.#audience,
      probed: this.#probed,
      atMs: this.#world.clock.wall(),
    });
  }

  /** Soon while hashes come in; at once when the last is there, since who has all says nothing more. */
  #scheduleManifest(): void {
    const pieces = this.#pieces;
    if (pieces !== undefined && this.#claims.end >= pieces && this.#claims.proven >= pieces) {
      return this.#recordManifest();
    }
    if (this.#manifestTimer) return;
    this.#manifestTimer = this.#world.clock.after(MANIFEST_MS, () => {
      this.#manifestTimer = undefined;
      this.#recordManifest();
    });
  }

  #recordManifest(): void {
    const hashes = this.#claims.export();
    if (hashes.length === this.#manifestAt) return;
    this.#manifestAt = hashes.length;
    this.#log.manifest(this.taskId, this.#world.epoch, hashes);
  }

  #recordFailed(error: WireError | undefined): void {
    const { taskId } = this;
    if (error)
      this.#world.emit('task.failed', taskId, {
        taskId,
        error: { code: error.code, message: error.message },
      });
    this.#log.failed(taskId, { epoch: this.#world.epoch, atMs: this.#world.clock.wall(), error });
  }

  #recordRetired(): void {
    this.#manifestTimer?.();
    for (const hostId of this.#ledger.hosts()) this.#ledger.leave(hostId);
    this.#world.emit('task.retired', this.taskId, { taskId: this.taskId });
    this.#log.retired(this.taskId, { epoch: this.#world.epoch, atMs: this.#world.clock.wall() });
  }

  // --- views ---

  /** What `task ls` shows. */
  row() {
    let holders = 0;
    for (const hostId of this.#ledger.hosts()) if (this.#ledger.complete(hostId)) holders += 1;
    return {
      taskId: this.taskId,
      state: this.state,
      length: this.#length,
      pieceLength: this.#pieceLength,
      sources: this.#sources.map(({ url }) => url),
      holders,
      fetching: [...this.#peers.values()].filter(({ wants }) => wants).length,
      audience: this.#audience,
    };
  }

  /** What `task show` shows beside the row. */
  peers() {
    return [...this.#peers].map(([hostId, row]) => {
      const state = row.wants ? 'fetching' : this.#ledger.complete(hostId) ? 'complete' : 'resting';
      return {
        hostId,
        have: this.#ledger.held(hostId),
        pieces: this.#pieces ?? 0,
        bytes: row.received,
        state,
      };
    });
  }

  /** Bytes read from the origin by this swarm, by reason. */
  get originReasons(): Record<string, number> {
    const sum: Record<string, number> = {};
    for (const { originReasons } of this.#peers.values()) {
      for (const [reason, bytes] of Object.entries(originReasons)) sum[reason] = (sum[reason] ?? 0) + bytes;
    }
    return sum;
  }

  get error(): WireError | undefined {
    return this.#actor.getSnapshot().context.error;
  }
}
