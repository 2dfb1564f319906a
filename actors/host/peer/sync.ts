import type { Cancel } from '../../../core/clock.ts';
import { ShoalError, toShoalError } from '../../../core/errors.ts';
import { partitionOf } from '../../../core/ids.ts';
import { LIMITS } from '../../../core/limits.ts';
import type { SyncReply } from '../../../core/sync-messages.ts';
import { SUBJECTS } from '../../../transport/subjects.ts';
import type { HostWorld } from '../world.ts';
import type { PeerChart } from './chart.ts';
import type { PeerContent } from './content.ts';
import type { LeaseSets } from './lease-sets.ts';
import type { PeerNeeds } from './needs.ts';
import { Patience } from './patience.ts';
import type { PeerStory } from './story.ts';
import type { SyncPace, SyncWhen } from './sync-pace.ts';
import type { SyncFacts, SyncState } from './sync-state.ts';

interface PeerSyncOptions {
  readonly world: HostWorld;
  readonly content: PeerContent;
  readonly sync: SyncState;
  readonly pace: SyncPace;
  readonly needs: PeerNeeds;
  readonly sets: LeaseSets;
  readonly story: PeerStory;
  readonly chart: PeerChart;
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
  readonly #patience: Patience;

  constructor(options: PeerSyncOptions) {
    const { world, content } = options;
    const { taskId } = content;
    const { clock, random, alone, hostId } = world;
    this.#options = options;
    this.#tokens = { partition: String(partitionOf(taskId)), taskId, hostId };
    this.#patience = new Patience(clock, random, alone);
  }

  /** Whether no scheduler has answered yet. */
  get isFirst(): boolean {
    return this.#patience.isFirst;
  }

  /** Whether a scheduler has answered of late. */
  get isHeard(): boolean {
    return !this.#options.world.alone && this.#patience.isHeard;
  }

  /** Has a sync sent at that time at the latest. */
  schedule(when: SyncWhen): void {
    const { world, chart } = this.#options;
    if (chart.ended || world.alone) return;
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
    const { intervalMs } = this.#patience;
    const gapMs = this.#soon ? pace.gapMs(intervalMs) / 2 : pace.gapMs(intervalMs);
    if (when === 'news') return Math.min(gapMs, intervalMs);
    if (this.#soon || when === 'later') return gapMs;
    const restMs = pace.restMs(intervalMs);
    return when === 'quiet' ? Math.max(restMs, LIMITS.syncQuietMs) : restMs;
  }

  async #once(): Promise<void> {
    const { world, sync, pace, needs, sets } = this.#options;
    this.#running = true;
    this.#soon = false;
    this.#now = false;
    this.#dueMs = Number.POSITIVE_INFINITY;
    this.#lastMs = world.clock.now();
    const patienceMs = this.#patience.timeoutMs;
    const told = needs.facts(pace.gapMs(this.#patience.intervalMs));
    pace.works(this, told.wants);
    const request = { ...sync.request(told), patienceMs };
    try {
      const abandoned = new Promise<never>((_, reject) => {
        this.#abandon = reject;
      });
      const options = { timeoutMs: patienceMs };
      const asked = world.bus.request(SUBJECTS.sync, this.#tokens, request, options);
      const reply = await Promise.race([asked, abandoned]);
      // Whoever is not believed has said nothing.
      if (sets.accepts(reply.epoch)) await this.#answered(reply);
      else this.#waited();
    } catch (error) {
      this.#unanswered(toShoalError(error));
    } finally {
      this.#running = false;
    }
    const when = needs.next();
    if (when !== 'none') this.schedule(when);
  }

  /** @throws ERR_STORE_FULL, ERR_STORE_IO */
  async #answered(reply: SyncReply): Promise<void> {
    const { sync, sets, chart } = this.#options;
    if (reply.status === 'full') {
      this.#patience.answered();
      sync.startOver();
      // Until it is heard, the scheduler has what is here read from the origin.
      this.#lastMs = Number.NEGATIVE_INFINITY;
      return;
    }
    this.#patience.answered(reply.intervalMs);
    sync.acknowledged(reply.seq, reply.epoch);
    chart.report({ type: 'sync.answered' });
    await sets.take(reply);
  }

  /** Another scheduler took over: the one that was asked will hardly answer, and the new one is to know soon. */
  renew(): void {
    this.#soon = true;
    this.#patience.renewed();
    // Who waits for a push would not be heard by the new one for a second; who syncs no more has nothing to say to it.
    if (this.#dueMs !== Number.POSITIVE_INFINITY) this.schedule('soon');
    this.#abandon(new ShoalError('ERR_CANCELLED', 'another scheduler owns the task now'));
  }

  #unanswered(error: ShoalError): void {
    const { story, chart } = this.#options;
    if (error.code === 'ERR_CANCELLED' || chart.ended) return;
    if (this.#isAskedToWait(error)) return;
    story.unanswered(error);
    if (error.code === 'ERR_STORE_FULL' || error.code === 'ERR_STORE_IO') {
      return chart.report({ type: 'task.failed', error });
    }
    this.#waited();
  }

  /** A scheduler with too much to do is there, and what it leased goes on. */
  #isAskedToWait({ code, details }: ShoalError): boolean {
    const { waitMs, epoch } = details;
    if (code !== 'ERR_SCHED_BUSY' || typeof waitMs !== 'number' || typeof epoch !== 'number') return false;
    if (!this.#options.sets.accepts(epoch)) return false;
    this.#patience.told(waitMs);
    return true;
  }

  /** A sync was in vain: after too many of them nobody is waited for. */
  #waited(): void {
    this.#patience.lost();
    if (this.#patience.isOver) this.#options.chart.report({ type: 'sync.silent' });
  }

  stop(): void {
    this.#options.pace.works(this, false);
    this.#timer?.();
    this.#abandon(new ShoalError('ERR_CANCELLED', 'the peer left'));
  }

  /** Tells the scheduler that this host takes nothing more of the task, unless it knows; it may go unheard. */
  async farewell(told: Pick<SyncFacts, 'received' | 'originReasons' | 'home'>): Promise<void> {
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
      contradicted: false,
      fencedBy: undefined,
    });
    await world.bus
      .request(SUBJECTS.sync, this.#tokens, request, { timeoutMs: LIMITS.syncTimeoutMs })
      .catch(() => undefined);
  }
}
