import type { Actor } from 'xstate';
import type { Cancel } from '../../../core/clock.ts';
import { ShoalError, toShoalError, type WireError } from '../../../core/errors.ts';
import { unpackHashes } from '../../../core/hash-page.ts';
import { digestOfTask, type HostId, type TaskId } from '../../../core/ids.ts';
import { LIMITS } from '../../../core/limits.ts';
import type { LogCreated } from '../../../core/log-messages.ts';
import { pieceLengthFor } from '../../../core/piece.ts';
import type { Probed } from '../../../core/probed.ts';
import type { Source } from '../../../core/source.ts';
import type { LeaseSet, SyncReply, SyncRequest, TaskState } from '../../../core/sync-messages.ts';
import type { taskMachine } from '../../../machines/scheduler/task.ts';
import { Holdings } from '../holdings.ts';
import type { TaskLog } from '../task-log.ts';
import type { SchedulerWorld } from '../world.ts';
import { TaskClaim } from './claim.ts';
import { TaskContent } from './content.ts';
import { TaskLeases } from './leases.ts';
import { createTaskMachine } from './machine.ts';
import { TaskPeer } from './peer.ts';
import { TaskProbe } from './probe.ts';
import { Resampling } from './resampling.ts';
import { TaskStory } from './story.ts';
import { StuckPeers } from './stuck-peers.ts';
import { originReasons, peerRows, type TaskRow, taskRow } from './view.ts';

/** One task in the scheduler that owns its partition: takes syncs, gives leases. */
export class TaskActor {
  readonly taskId: TaskId;
  readonly #world: SchedulerWorld;
  readonly #actor: Actor<typeof taskMachine>;
  readonly #content: TaskContent;
  readonly #claim: TaskClaim;
  readonly #peers = new Map<HostId, TaskPeer>();
  readonly #probe: TaskProbe;
  readonly #resampling: Resampling;
  readonly #stuck: StuckPeers;
  readonly #leases: TaskLeases;
  readonly #story: TaskStory;
  #idleTimer: Cancel | undefined;

  constructor(world: SchedulerWorld, log: TaskLog, taskId: TaskId) {
    this.#world = world;
    this.taskId = taskId;
    this.#content = new TaskContent(taskId);
    this.#claim = new TaskClaim(world, this.#content);
    this.#probe = new TaskProbe(world.clock, this.#claim.reads);
    this.#resampling = new Resampling(world, taskId, this.#claim);
    this.#story = new TaskStory(world, log, this.#content, this.#claim);
    this.#stuck = new StuckPeers(world, this.#content, this.#claim, this.#peers, this.#probe);
    this.#leases = new TaskLeases({
      world,
      content: this.#content,
      claim: this.#claim,
      peers: this.#peers,
      wordFor: (hostId, peer) => this.#wordFor(hostId, peer),
    });
    this.#claim.onFree = () => this.#leases.pushSoon();
    this.#actor = createTaskMachine({
      recordCreated: () => this.#story.created(),
      recordManifest: () => this.#story.manifest(),
      recordFailed: (error) => this.#story.failed(error),
      recordRetired: () => this.#retire(),
      startIdleTimer: () => this.#startIdleTimer(),
      stopIdleTimer: () => this.#idleTimer?.(),
    });
    this.#actor.subscribe({
      error: (error) => world.log.error({ taskId, err: toShoalError(error) }, 'task actor crashed'),
    });
    this.#actor.start();
  }

  get state(): TaskState {
    return this.#actor.getSnapshot().value;
  }

  get ended(): boolean {
    return this.#actor.getSnapshot().status !== 'active';
  }

  get error(): WireError | undefined {
    return this.#actor.getSnapshot().context.error;
  }

  /** Takes up what the log and the hosts know of the task. */
  recover(created: LogCreated | undefined, hashes: readonly Uint8Array[]): void {
    if (created) {
      for (const source of created.sources) this.#content.addSource(source);
      if (created.probed) this.#learn(created.probed);
      else if (created.pieceLength !== undefined) this.#setGeometry(created.length, created.pieceLength);
      this.#content.audience = created.audience;
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
    const bits = Holdings.bits(holding, pieces);
    if (bits === undefined) return;
    this.#join(hostId, false, false);
    this.#claim.setHave(hostId, bits);
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
    this.#peers.delete(hostId);
    this.#probe.end(hostId);
    this.#resampling.lose(hostId);
  }

  /** The host that resolved the URL told what it learnt, and reads the first bytes right now. */
  resolved(hostId: HostId, source: Source, probed: Probed, readingBytes: number): void {
    this.#content.addSource(source);
    this.#learn(probed);
    const { pieceLength, pieces = 1 } = this.#content;
    // A host that has synced already says itself what it reads.
    if (readingBytes === 0 || pieceLength === undefined || this.#peers.has(hostId)) return;
    this.#join(hostId, true, true);
    const count = Math.min(pieces, Math.ceil(readingBytes / pieceLength));
    const running = Array.from({ length: count }, (_, piece) => piece);
    const nowMs = this.#world.clock.now();
    this.#claim.ledger.reconcile(hostId, { running, queued: [], seenNumber: 0, nowMs });
  }

  #join(hostId: HostId, mayReadOrigin: boolean, wants: boolean): void {
    const { hosts } = this.#world;
    const zone = hosts.get(hostId)?.alive.zone;
    this.#claim.ledger.join(hostId, { role: hosts.role(hostId), zone, mayReadOrigin, wants });
  }

  // --- sync ---

  /** Takes what a host says, and answers with its whole set of leases. */
  sync(hostId: HostId, request: SyncRequest): SyncReply {
    const known = this.#peers.get(hostId);
    if (known && known.incarnation !== request.incarnation) this.lose(hostId);
    const peer = this.#peers.get(hostId) ?? new TaskPeer(request.incarnation, this.#world.clock.now());
    const weight = peer.weigh(request);
    if (weight === 'baseless') return { status: 'full', epoch: this.#world.epoch };
    if (weight === 'new') {
      this.#peers.set(hostId, peer);
      const added = this.#take(hostId, peer, request);
      if (peer.wants && known === undefined) this.#leases.recruitSeeds();
      if (peer.wants) this.#leases.callHolders();
      if (!peer.wants) this.#rest(hostId, peer);
      else if (this.state === 'idle') this.#actor.send({ type: 'work.began' });
      this.#grant(hostId, peer, request.urgent);
      if (added) this.#leases.pushToIdle(hostId);
    }
    const set = this.#leases.setFor(hostId, peer, request.hashCursor, request.seen.epoch);
    const intervalMs = Math.max(LIMITS.syncMinIntervalMs, Math.ceil(LIMITS.syncPerHostMs * this.#peers.size));
    return { status: 'ok', seq: request.seq, intervalMs, ...set };
  }

  /** Applies a sync; returns whether the host holds pieces that it did not before. */
  #take(hostId: HostId, peer: TaskPeer, request: SyncRequest): boolean {
    const nowMs = this.#world.clock.now();
    const sameEpoch = request.seen.epoch === this.#world.epoch;
    const { mayReadOrigin, running, queued, wants } = request;
    for (const source of request.sources) this.#content.addSource(source);
    if (request.probed) this.#probed(hostId, peer, request.probed);
    if (request.pieceLength !== undefined) this.#setGeometry(request.length, request.pieceLength);
    peer.mayReadOrigin = mayReadOrigin;
    // A scheduler just born leases nothing from the origin before it has heard what the hosts hold.
    this.#join(hostId, mayReadOrigin && nowMs >= this.#world.recoveredAtMs, wants);
    peer.inherit(request, sameEpoch);
    if (this.#claim.takeHashes(hostId, peer, request)) this.#story.hashesCame();
    const added = this.#claim.takeHave(hostId, request);
    for (const failure of request.failures) {
      if (failure.count > 0) this.#claim.ledger.fail(hostId, failure, nowMs);
      if (failure.parent === 'origin')
        this.#originFailed(hostId, peer, failure.reason, failure.error as WireError | undefined);
    }
    if (request.mismatch && this.#resampling.blamesSource(hostId, request.mismatch, mayReadOrigin)) {
      this.#dropSource();
    }
    const seenNumber = sameEpoch ? request.seen.number : 0;
    this.#claim.ledger.reconcile(hostId, { running, queued, seenNumber, nowMs });
    peer.synced(request, nowMs);
    return added;
  }

  #grant(hostId: HostId, peer: TaskPeer, urgent?: number): void {
    if (this.state !== 'failed') this.#leases.grant(hostId, peer, urgent);
  }

  #wordFor(hostId: HostId, peer: TaskPeer): Pick<LeaseSet, 'error' | 'samples' | 'probe' | 'state'> {
    const failed = this.state === 'failed' ? this.error : undefined;
    const error = failed ?? this.#stuck.errorFor(peer);
    const samples = this.#resampling.piecesFor(hostId);
    const probe = this.#shouldProbe(hostId, peer) || undefined;
    return { error, samples, probe, state: this.state };
  }

  /** A host has all it wanted, or gave up: what it holds stays known while it lives. */
  #rest(hostId: HostId, peer: TaskPeer): void {
    this.#probe.end(hostId);
    const bits = this.#claim.ledger.bits(hostId);
    if (bits === undefined || bits.count === 0) return;
    if (bits.complete && !peer.delivered && peer.received.origin + peer.received.peers > 0) {
      peer.delivered = true;
      this.#story.delivered(hostId, peer);
    }
    const holding = bits.complete ? 'complete' : bits.toBytes();
    this.#world.holdings.set(this.taskId, hostId, holding, this.#content.audience);
  }

  // --- what is known of the content ---

  #probed(hostId: HostId, peer: TaskPeer, probed: Probed): void {
    peer.probes = true;
    this.#probe.end(hostId);
    this.#learn(probed);
  }

  #learn(probed: Probed): void {
    if (!this.#content.learn(probed)) return;
    this.#claim.ledger.setRanges(probed.ranges);
    this.#setGeometry(probed.length, pieceLengthFor(probed.length));
  }

  #setGeometry(length: number | undefined, pieceLength: number): void {
    const news = this.#content.setGeometry(length, pieceLength);
    if (news === undefined) return;
    if (length !== undefined) this.#claim.ledger.setGeometry({ length, pieceLength });
    if (news === 'length') return this.#story.created();
    this.#actor.send({ type: 'geometry.known' });
    this.#holdAll();
  }

  #shouldProbe(hostId: HostId, peer: TaskPeer): boolean {
    if (this.#content.pieceLength !== undefined || !peer.wants || this.state === 'failed') return false;
    if (this.#world.clock.now() < this.#world.recoveredAtMs || !peer.mayReadOrigin) return false;
    if (!this.#probe.assign(hostId)) return false;
    this.#actor.send({ type: 'probe.assigned' });
    return true;
  }

  // --- failures ---

  #originFailed(hostId: HostId, peer: TaskPeer, reason: string, error: WireError | undefined): void {
    if (error) peer.error = error;
    this.#probe.end(hostId);
    if (reason !== 'origin-changed' || digestOfTask(this.taskId) !== undefined) return;
    this.#refute(new ShoalError('ERR_TASK_CHANGED', 'the origin has other content now'));
  }

  #refute(error: ShoalError): void {
    this.#actor.send({ type: 'content.refuted', error: error.toWire() });
  }

  /** The source has other content than the digest says: it is banned, and the next one begins from nothing. */
  #dropSource(): void {
    const source = this.#content.dropSource();
    if (source) this.#story.banned(source);
    this.#claim.drop();
    this.#resampling.reset();
    if (this.#content.sources.length > 0) return this.#actor.send({ type: 'claim.dropped' });
    const message = `no source gives content of ${digestOfTask(this.taskId) ?? this.taskId}`;
    this.#refute(new ShoalError('ERR_DIGEST_MISMATCH', message));
  }

  /** Whether a failed task can begin anew: somebody came with a source that was not banned. */
  revivedBy({ sources, base }: SyncRequest): boolean {
    const isNew = sources.some((source) => !this.#content.isBanned(source));
    return this.state === 'failed' && isNew && base === 0;
  }

  // --- time ---

  /** Called twice a second. */
  tick(nowMs: number): void {
    if (this.ended) return;
    const { ledger } = this.#claim;
    for (const hostId of ledger.expire(nowMs)) {
      const peer = this.#peers.get(hostId);
      if (peer?.wants) this.#leases.push(hostId, peer);
    }
    if (this.state === 'idle') return;
    let working = false;
    for (const [hostId, peer] of this.#peers) {
      if (peer.isSilent(nowMs)) {
        peer.wants = false;
        ledger.reconcile(hostId, { running: [], queued: [], seenNumber: peer.setNumber, nowMs });
      }
      working ||= peer.wants;
    }
    if (!working) this.#actor.send({ type: 'work.ended' });
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

  #retire(): void {
    for (const hostId of this.#claim.ledger.hosts()) this.#claim.ledger.leave(hostId);
    // Each leave may have freed a slot.
    this.#leases.stop();
    this.#story.retired();
  }

  // --- views ---

  row(): TaskRow {
    return taskRow(this.state, this.#content, this.#claim, this.#peers);
  }

  peers(): ReturnType<typeof peerRows> {
    return peerRows(this.#content.pieces, this.#claim, this.#peers);
  }

  /** Bytes read from the origin by this swarm, by reason. */
  get originReasons(): Record<string, number> {
    return originReasons(this.#peers);
  }
}
