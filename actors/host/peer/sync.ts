import type { Cancel } from '../../../core/clock.ts';
import { ShoalError, toShoalError } from '../../../core/errors.ts';
import { partitionOf, type TaskId } from '../../../core/ids.ts';
import { LIMITS } from '../../../core/limits.ts';
import type { LeaseSet } from '../../../core/sync-messages.ts';
import { SUBJECTS } from '../../../transport/subjects.ts';
import type { HostWorld } from '../world.ts';
import type { SyncPace } from './sync-pace.ts';
import type { SyncFacts, SyncState } from './sync-state.ts';

/** Between syncs that are not answered, at least. */
const UNANSWERED_MS = 250;

/**
 * When a peer is to sync: at once; at the interval that its scheduler asks for, however many tasks the host has; in half
 * the host's own interval, after it, later as it has nothing to tell, or only to be heard.
 */
export type SyncWhen = 'now' | 'news' | 'soon' | 'later' | 'rest' | 'quiet';

interface PeerSyncOptions {
  readonly world: HostWorld;
  readonly taskId: TaskId;
  readonly sync: SyncState;
  readonly pace: SyncPace;
  /** What the next sync says; the one after it comes in about `intervalMs`. */
  readonly facts: (intervalMs: number) => SyncFacts;
  readonly isOver: () => boolean;
  readonly onAnswered: (set: LeaseSet) => Promise<void>;
  readonly onUnanswered: (error: ShoalError) => void;
  /** No scheduler has answered for longer than this host is patient. */
  readonly onSilent: () => void;
  /** Whether there is to be another sync, and when. */
  readonly next: () => SyncWhen | 'none';
}

/** When one peer syncs with its scheduler, and what becomes of it when nobody answers. */
export class PeerSync {
  readonly #options: PeerSyncOptions;
  readonly #tokens: { partition: string; taskId: string; hostId: string };
  #timer: Cancel | undefined;
  #dueMs = Number.POSITIVE_INFINITY;
  #running = false;
  /** Waits no longer for the answer to the sync that is out. */
  #abandon: (reason: ShoalError) => void = () => {};
  #soon = false;
  #now = false;
  #lastMs = Number.NEGATIVE_INFINITY;
  #intervalMs: number = LIMITS.syncMinIntervalMs;
  #answeredMs: number;
  /** Undefined once a scheduler has answered. */
  #firstPatienceMs: number | undefined;

  constructor(options: PeerSyncOptions) {
    const { world, taskId } = options;
    const { clock, random, alone, hostId } = world;
    this.#options = options;
    this.#tokens = { partition: String(partitionOf(taskId)), taskId, hostId };
    this.#answeredMs = clock.now();
    this.#firstPatienceMs = alone
      ? 0
      : LIMITS.firstSyncMinMs + random.next() * (LIMITS.firstSyncMaxMs - LIMITS.firstSyncMinMs);
  }

  /** Whether no scheduler has answered yet. */
  get isFirst(): boolean {
    return this.#firstPatienceMs !== undefined;
  }

  /** Whether a scheduler has answered of late. */
  get isHeard(): boolean {
    const { alone, clock } = this.#options.world;
    return !alone && clock.now() - this.#answeredMs <= LIMITS.adriftAfterMs;
  }

  /** Has a sync sent at that time at the latest. */
  schedule(when: SyncWhen): void {
    const { world, isOver } = this.#options;
    if (isOver() || world.alone) return;
    this.#soon ||= when === 'soon';
    this.#now ||= when === 'now';
    if (this.#running) return;
    const dueMs = this.#now ? Number.NEGATIVE_INFINITY : this.#lastMs + this.#gapMs(when);
    if (dueMs >= this.#dueMs) return;
    this.#timer?.();
    this.#dueMs = dueMs;
    const delayMs = Math.max(0, dueMs - world.clock.now());
    this.#timer = world.clock.after(delayMs, () => void this.#once());
  }

  #gapMs(when: SyncWhen): number {
    const { pace } = this.#options;
    const gapMs = this.#soon ? pace.gapMs(this.#intervalMs) / 2 : pace.gapMs(this.#intervalMs);
    if (when === 'news') return Math.min(gapMs, this.#intervalMs);
    if (this.#soon || when === 'later') return gapMs;
    const restMs = pace.restMs(this.#intervalMs);
    return when === 'quiet' ? Math.max(restMs, LIMITS.syncQuietMs) : restMs;
  }

  async #once(): Promise<void> {
    const { world, sync, pace, facts, next } = this.#options;
    this.#running = true;
    this.#soon = false;
    this.#now = false;
    this.#dueMs = Number.POSITIVE_INFINITY;
    this.#lastMs = world.clock.now();
    const told = facts(pace.gapMs(this.#intervalMs));
    pace.works(this, told.wants);
    const request = sync.request(told);
    try {
      const abandoned = new Promise<never>((_, reject) => {
        this.#abandon = reject;
      });
      const options = { timeoutMs: LIMITS.syncTimeoutMs };
      const asked = world.bus.request(SUBJECTS.sync, this.#tokens, request, options);
      const reply = await Promise.race([asked, abandoned]);
      this.#answeredMs = world.clock.now();
      this.#firstPatienceMs = undefined;
      if (reply.status === 'full') {
        sync.startOver();
        // Until it is heard, the scheduler has what is here read from the origin.
        this.#lastMs = Number.NEGATIVE_INFINITY;
      } else {
        this.#intervalMs = reply.intervalMs;
        sync.acknowledged(reply.seq, reply.epoch);
        await this.#options.onAnswered(reply);
      }
    } catch (error) {
      this.#unanswered(toShoalError(error));
    } finally {
      this.#running = false;
    }
    const when = next();
    if (when !== 'none') this.schedule(when);
  }

  /** Another scheduler took over: the one that was asked will hardly answer, and the new one is to know soon. */
  renew(): void {
    this.#soon = true;
    // Who waits for a push would not be heard by the new one for a second; who syncs no more has nothing to say to it.
    if (this.#dueMs !== Number.POSITIVE_INFINITY) this.schedule('soon');
    this.#abandon(new ShoalError('ERR_CANCELLED', 'another scheduler owns the task now'));
  }

  #unanswered(error: ShoalError): void {
    const { world, isOver, onUnanswered, onSilent } = this.#options;
    if (error.code === 'ERR_CANCELLED' || isOver()) return;
    onUnanswered(error);
    if (isOver()) return;
    this.#intervalMs = Math.max(this.#intervalMs, UNANSWERED_MS);
    const patienceMs = this.#firstPatienceMs ?? LIMITS.adriftAfterMs;
    if (world.clock.now() - this.#answeredMs >= patienceMs) onSilent();
  }

  stop(): void {
    this.#options.pace.works(this, false);
    this.#timer?.();
    this.#abandon(new ShoalError('ERR_CANCELLED', 'the peer left'));
  }

  /** Tells the scheduler that this host takes nothing more of the task, unless it knows; it may go unheard. */
  async farewell(told: Pick<SyncFacts, 'received' | 'originReasons'>): Promise<void> {
    const { world, sync } = this.#options;
    if (world.alone || sync.restIsKnown) return;
    const request = sync.request({
      ...told,
      running: [],
      queued: [],
      freeSlots: 0,
      transferBytesPerSec: 0,
      urgent: undefined,
      wants: false,
      mayReadOrigin: false,
      adrift: false,
    });
    await world.bus
      .request(SUBJECTS.sync, this.#tokens, request, { timeoutMs: LIMITS.syncTimeoutMs })
      .catch(() => undefined);
  }
}
