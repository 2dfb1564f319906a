import type { Cancel } from '../../core/clock.ts';
import { ShoalError, toShoalError } from '../../core/errors.ts';
import {
  type FetchOrder,
  type FetchReply,
  ORDER_ERROR_CHARS,
  ORDER_ITEMS,
  ORDER_STATES,
} from '../../core/fetch-messages.ts';
import { onAbort } from '../../core/on-abort.ts';
import type { Subscription } from '../../transport/bus.ts';
import { SUBJECTS } from '../../transport/subjects.ts';
import type { HostWorld } from '../host/world.ts';
import type { Downloads } from './downloads.ts';
import { FetchJob, type FetchTask } from './fetch-job.ts';

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

/** What others order this host to fetch into its cache: a few items at once, each order in its own order. */
export class FetchOrders {
  readonly #world: FetchWorld;
  readonly #downloads: Pick<Downloads, 'get'>;
  readonly #jobs = new Map<string, FetchJob>();
  readonly #stopping = new AbortController();
  #running = 0;
  #subscription: Subscription | undefined;

  constructor(world: FetchWorld, downloads: Pick<Downloads, 'get'>) {
    this.#world = world;
    this.#downloads = downloads;
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

  /** Learns items of an order, and answers how far it is. @throws ERR_PREHEAT_BUSY, ERR_BUS_MESSAGE_INVALID */
  take(order: FetchOrder): FetchReply {
    const job = this.#jobs.get(order.jobId) ?? this.#begin(order);
    if (job === undefined) return NOTHING;
    if (job.total !== order.total) {
      throw new ShoalError('ERR_BUS_MESSAGE_INVALID', 'another order has this id');
    }
    job.touch(this.#world.clock.now());
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
    const job = new FetchJob(order.jobId, order.total, this.#world.clock.now());
    this.#jobs.set(job.jobId, job);
    this.#world.log.info({ jobId: job.jobId, items: job.total }, 'preheat begun');
    return job;
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

  /** Begins items while there is room, of the order with the fewest under way first. */
  #fill(): void {
    while (this.#running < AT_ONCE && !this.#stopping.signal.aborted) {
      let next: FetchJob | undefined;
      for (const job of this.#jobs.values()) {
        if (job.hasWaiting && (next === undefined || job.running < next.running)) next = job;
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
    const stopping = this.#stopping.signal;
    const unlisten = onAbort(stopping, () => ending.abort(stopping.reason));
    try {
      const request = { ...task.item, headers: {}, noOrigin: false, maxStaleMs: 0 };
      const result = await this.#downloads.get(
        request,
        (progress) => {
          watch.see(progress.doneBytes);
          task.progress(progress);
        },
        ending.signal,
      );
      task.done(result);
    } catch (thrown) {
      const error = toShoalError(thrown);
      const told = job.errors.length;
      task.failed(shortened(error));
      // All of many may fail: what is not told in the end of the order either is one line too many.
      const fields = { jobId: job.jobId, resource: task.item.resource, err: error };
      if (job.errors.length > told) log.warn(fields, 'preheat of an item failed');
    } finally {
      watch.end();
      unlisten();
      this.#running -= 1;
      job.touch(clock.now());
      if (job.ended) this.#ended(job);
      this.#fill();
    }
  }

  #ended(job: FetchJob): void {
    const { clock, emit, hostId, log } = this.#world;
    const durationMs = Math.round(clock.now() - job.begunMs);
    const { jobId, total } = job;
    const { failed, bytes } = job.reply(undefined, 0);
    emit('preheat.ended', jobId, {
      jobId,
      hostId,
      items: total,
      failed,
      bytes,
      durationMs,
      errors: job.errors,
    });
    log.info({ jobId, items: total, failed, bytes, durationMs }, 'preheat ended');
  }
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
