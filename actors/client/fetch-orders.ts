import type { Cancel } from '../../core/clock.ts';
import type { DownloadProgress } from '../../core/download.ts';
import { ShoalError, toShoalError } from '../../core/errors.ts';
import {
  type FetchOrder,
  type FetchReply,
  ORDER_ERROR_CHARS,
  ORDER_ITEMS,
  ORDER_STATES,
} from '../../core/fetch-messages.ts';
import { onAbort } from '../../core/on-abort.ts';
import { RecentMap } from '../../core/recent-map.ts';
import type { Subscription } from '../../transport/bus.ts';
import { SUBJECTS } from '../../transport/subjects.ts';
import type { HostWorld } from '../host/world.ts';
import { FetchJob, type FetchTask } from './fetch-job.ts';
import type { LentHeaders } from './lent-headers.ts';
import type { OrderedContent } from './ordered-content.ts';

/** Items a host fetches at once, of all orders. */
const AT_ONCE = 4;
const JOBS = 64;
/** Items of all orders that a host keeps in mind. */
const ITEMS = 4 * ORDER_ITEMS;
/** How long the outcome of an order can be asked for. */
const RETAIN_MS = 600_000;
/** An item without a new byte for this time is given up. */
const STALL_MS = 600_000;

type FetchWorld = Pick<HostWorld, 'bus' | 'clock' | 'emit' | 'hostId' | 'log'>;

/** Orders that are over and are not taken up again by a late message. */
const OVER = 1_024;
/** What is kept is kept on once its time has moved by so much. */
const KEEP_STEP_MS = 3_600_000;

/** What others order this host to have in its cache, keep or give up: a few items at once, each order in its own order. */
export class FetchOrders {
  readonly #world: FetchWorld;
  readonly #content: OrderedContent;
  readonly #lent: LentHeaders;
  readonly #over = new RecentMap<string, true>(OVER);
  readonly #jobs = new Map<string, FetchJob>();
  readonly #stopping = new AbortController();
  #running = 0;
  #subscription: Subscription | undefined;

  constructor(world: FetchWorld, content: OrderedContent, lent: LentHeaders) {
    this.#lent = lent;
    this.#world = world;
    this.#content = content;
  }

  start(): void {
    const { bus, hostId } = this.#world;
    this.#subscription = bus.serve(SUBJECTS.fetch, { hostId }, (order) => this.take(order));
  }

  /** Gives up what runs. */
  stop(): void {
    this.#subscription?.close();
    this.#stopping.abort(new ShoalError('ERR_CANCELLED', 'the daemon stops'));
  }

  /**
   * Learns items of an order, and answers how far it is.
   * @throws ERR_PREHEAT_BUSY, ERR_BUS_MESSAGE_INVALID, ERR_JOB_CANCELLED (it is over)
   */
  take(order: FetchOrder): FetchReply {
    if (order.end === true) return this.#end(order.jobId);
    if (order.keepUntilMs === 0) return this.#letGo(order.jobId);
    if (this.#over.get(order.jobId) !== undefined) {
      throw new ShoalError('ERR_JOB_CANCELLED', 'the order is over');
    }
    const job = this.#jobs.get(order.jobId) ?? this.#begin(order);
    if (job === undefined) return NOTHING;
    if (job.total !== order.total) {
      throw new ShoalError('ERR_BUS_MESSAGE_INVALID', 'another order has this id');
    }
    job.touch(this.#world.clock.now());
    job.keepUntilMs = order.keepUntilMs ?? job.keepUntilMs;
    if (job.ended) this.#keep(job);
    // What comes before its time is asked for again.
    if (order.from <= job.known) {
      const fresh = order.items.slice(job.known - order.from);
      this.#makeRoom(fresh.length, job);
      job.add(fresh);
      this.#fill();
    }
    return job.reply(order.statesFrom, ORDER_STATES);
  }

  /** Undefined for an order that cannot begin with this message. */
  #begin(order: FetchOrder): FetchJob | undefined {
    if (order.from > 0 || order.items.length === 0) return undefined;
    this.#makeRoom(order.items.length);
    const job = new FetchJob(order, this.#world.clock.now());
    this.#jobs.set(job.jobId, job);
    this.#world.log.info({ jobId: job.jobId, verb: job.verb, items: job.total }, 'order begun');
    return job;
  }

  /** Nothing of the order goes on, ever. */
  #end(jobId: string): FetchReply {
    this.#over.set(jobId, true);
    return this.#letGo(jobId);
  }

  /** Nothing of the order goes on, and nothing is kept for its sake, until it comes anew. */
  #letGo(jobId: string): FetchReply {
    const job = this.#jobs.get(jobId);
    this.#jobs.delete(jobId);
    this.#content.release(jobId);
    this.#lent.forget(jobId);
    job?.ending.abort(new ShoalError('ERR_JOB_CANCELLED', 'the order is over'));
    for (const release of job?.spared ?? []) release();
    return NOTHING;
  }

  /** What came is kept on the disk, for as long as was last said. */
  #keep(job: FetchJob): void {
    const { keepUntilMs } = job;
    if (keepUntilMs === undefined || Math.abs(keepUntilMs - job.keptUntilMs) < KEEP_STEP_MS) return;
    this.#content.keep(job.jobId, [...job.taskIds], keepUntilMs);
    job.keptUntilMs = keepUntilMs;
    for (const release of job.spared.splice(0)) release();
  }

  /** Forgets what nobody has asked for in a while, then, where need be, what has ended longest ago. */
  #makeRoom(items: number, spared?: FetchJob): void {
    const now = this.#world.clock.now();
    const resting = [...this.#jobs.values()]
      .filter((job) => job !== spared && job.resting)
      .sort((a, b) => a.touchedMs - b.touchedMs);
    for (const job of resting) {
      const old = now - job.touchedMs > RETAIN_MS;
      // One that may still be written on is not taken away for another's sake.
      if (old || (job.ended && !this.#fits(items, spared))) this.#jobs.delete(job.jobId);
    }
    if (this.#fits(items, spared)) return;
    throw new ShoalError('ERR_PREHEAT_BUSY', 'this host has as many orders as it keeps in mind');
  }

  #fits(items: number, spared: FetchJob | undefined): boolean {
    let known = items;
    for (const job of this.#jobs.values()) known += job.known;
    return known <= ITEMS && (spared !== undefined || this.#jobs.size < JOBS);
  }

  /** Begins items while there is room, of the highest priority, then of the order with the fewest under way. */
  #fill(): void {
    while (this.#running < AT_ONCE && !this.#stopping.signal.aborted) {
      let next: FetchJob | undefined;
      for (const job of this.#jobs.values()) {
        if (job.hasWaiting && (next === undefined || isBefore(job, next))) next = job;
      }
      const task = next?.begin();
      if (next === undefined || task === undefined) return;
      this.#running += 1;
      void this.#run(next, task);
    }
  }

  async #run(job: FetchJob, task: FetchTask): Promise<void> {
    const { clock, log } = this.#world;
    const ending = new AbortController();
    const watch = new StallWatch((delayMs, run) => clock.after(delayMs, run), ending);
    const signals = [this.#stopping.signal, job.ending.signal];
    const unlisten = signals.map((signal) => onAbort(signal, () => ending.abort(signal.reason)));
    try {
      if (job.verb === 'evict') {
        const length = await this.#content.evict(task.item);
        task.done({ length, bytes: NOTHING.bytes });
      } else {
        const request = this.#lent.requestOf(task.item, job.jobId, job.lent);
        const tell = (progress: DownloadProgress) => {
          watch.see(progress.doneBytes);
          task.progress(progress);
        };
        const result = await this.#content.get(request, tell, ending.signal);
        if (job.keepUntilMs !== undefined) job.spared.push(await this.#content.spare(result.taskId));
        task.done(result);
      }
    } catch (thrown) {
      const error = toShoalError(thrown);
      task.failed(shortened(error));
      log.warn({ jobId: job.jobId, resource: task.item.resource, err: error }, 'an ordered item failed');
    } finally {
      watch.end();
      for (const each of unlisten) each();
      this.#running -= 1;
      job.touch(clock.now());
      if (this.#jobs.get(job.jobId) !== job) for (const release of job.spared.splice(0)) release();
      else if (job.ended) this.#ended(job);
      this.#fill();
    }
  }

  #ended(job: FetchJob): void {
    const { clock, emit, hostId, log } = this.#world;
    const durationMs = Math.round(clock.now() - job.begunMs);
    const { jobId, total } = job;
    const { failed, bytes } = job.reply(undefined, 0);
    this.#keep(job);
    this.#lent.forget(jobId);
    log.info({ jobId, items: total, failed, bytes, durationMs }, 'order ended');
    if (job.verb === 'evict') return;
    emit('preheat.ended', jobId, {
      jobId,
      hostId,
      items: total,
      failed,
      bytes,
      durationMs,
      errors: job.errors,
    });
  }
}

function isBefore(one: FetchJob, other: FetchJob): boolean {
  if (one.priority !== other.priority) return one.priority > other.priority;
  return one.running < other.running;
}

const NOTHING: FetchReply = {
  known: 0,
  done: 0,
  failed: 0,
  length: 0,
  doneBytes: 0,
  bytes: { origin: 0, peers: 0, local: 0 },
  states: [],
};

/** Gives a download up that has stood still for too long. */
class StallWatch {
  #doneBytes = 0;
  #moved = false;
  #cancel: Cancel = () => undefined;

  constructor(after: (delayMs: number, run: () => void) => Cancel, ending: AbortController) {
    const check = (): void => {
      if (!this.#moved)
        ending.abort(new ShoalError('ERR_TIMEOUT', `no byte came for ${STALL_MS / 60_000} min`));
      this.#moved = false;
      this.#cancel = after(STALL_MS, check);
    };
    this.#cancel = after(STALL_MS, check);
  }

  see(doneBytes: number): void {
    if (doneBytes === this.#doneBytes) return;
    this.#doneBytes = doneBytes;
    this.#moved = true;
  }

  end(): void {
    this.#cancel();
  }
}

/** An error as it goes to others: details may hold anything, and stay here. */
function shortened({ code, message, retryable }: ShoalError) {
  return { code, message: message.slice(0, ORDER_ERROR_CHARS), retryable };
}
