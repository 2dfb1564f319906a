import { sleep } from '../../../core/clock.ts';
import { errorFromWire, ShoalError, toShoalError } from '../../../core/errors.ts';
import type { FetchItem } from '../../../core/fetch-messages.ts';
import type { HostId } from '../../../core/ids.ts';
import { isEnded, type JobHost, type JobRecord } from '../../../core/jobs.ts';
import type { JobEffects, JobTurn } from '../../../machines/scheduler/job.ts';
import { chooseHosts, choosePinHosts, type TargetHost } from '../../../scheduling/job-targets.ts';
import { SUBJECTS } from '../../../transport/subjects.ts';
import type { GroupWorld } from '../world.ts';
import { endOrder, followOrder, type HostOutcome } from './follow-order.ts';
import { HostsBook, NO_PROGRESS, shortError, waitingRow } from './hosts-book.ts';
import type { JobStore } from './job-store.ts';
import { itemsOf, type LookUpWay, nameAll } from './lookup.ts';
import { kept, LeftJob, OwnRecord } from './own-record.ts';
import { tellJob } from './tell-job.ts';

/** Jobs are worked on by any scheduler, and need no partition. */
export interface JobWorld extends Pick<GroupWorld, 'clock' | 'random' | 'bus' | 'emit' | 'log' | 'hosts'> {
  /** Resolves once every host that is there has been heard of. */
  readonly hostsHeard: () => Promise<void>;
}

const LEND_MS = 10_000;
const EVERY_MS = 300;
/** Each host more makes all be asked this much less often, ms: 500 questions a second in all. */
const EVERY_MS_PER_HOST = 2;
/** How often it is written down how far a job is. */
const WRITE_MS = 1_000;
/** Hosts that are told at once that a job is over, and how often one is that does not answer. */
const HALTED_AT_ONCE = 64;
const HALT_TRIES = 3;
/** What a pin keeps is kept for so long, and on at each look after it: a pin that nobody looks after ends by itself. */
const KEEP_MS = 30 * 86_400_000;
/** Hosts that are gone are told of for a while: that many. */
const LOST_TOLD = 20;

/** What one scheduler does for one job. */
export class JobWork implements JobEffects {
  readonly #world: JobWorld;
  readonly #store: JobStore;
  readonly #id: string;
  #record: OwnRecord | undefined;
  #items: FetchItem[] = [];
  /** The one host that was lent the headers of the job, and reads for all. */
  #reader: HostId | undefined;
  #book = new HostsBook([]);

  constructor(world: JobWorld, store: JobStore, id: string) {
    this.#world = world;
    this.#store = store;
    this.#id = id;
  }

  isLeft(error: unknown): boolean {
    return error instanceof LeftJob;
  }

  /** Which life of the job this is; undefined before it began. */
  get attempt(): number | undefined {
    return this.#record?.job.attempt;
  }

  async begin(): Promise<JobTurn> {
    const { clock, hostsHeard } = this.#world;
    await hostsHeard();
    const stored = await kept(this.#store.get(this.#id));
    if (stored === undefined || isEnded(stored.job.state) || stored.job.schedule !== undefined) return 'over';
    const { job, revision } = stored;
    const begun: JobRecord = {
      ...job,
      state: 'running',
      attempt: job.attempt + 1,
      startedAtMs: job.startedAtMs ?? clock.wall(),
    };
    // Where another began it in this moment, it is his.
    this.#record = new OwnRecord(this.#store, await kept(this.#store.put(begun, revision)));
    this.#book = new HostsBook(await kept(this.#store.hosts(job)));
    return this.#isToEnd(job) ? 'halt' : 'work';
  }

  async resolve(signal: AbortSignal): Promise<void> {
    const { request, resolved: known } = this.#job;
    if (request.headersKeptBy !== undefined) await this.#lend(request.headersKeptBy);
    const resolved = known ?? (await nameAll(this.#way, request.what, signal));
    this.#items = await itemsOf(this.#way, resolved, request, signal);
    const items = this.#items.length;
    if (known === undefined) await this.#change((job) => ({ ...job, resolved, items }));
  }

  /** @throws ERR_JOB_HEADERS_LOST */
  async #lend(keeper: string): Promise<void> {
    const { bus } = this.#world;
    const [hostId] = this.#way.hosts;
    if (hostId === undefined) throw new ShoalError('ERR_HOST_NOT_FOUND', 'no host is there to read');
    const to = { keeper, sender: bus.name };
    try {
      await bus.request(SUBJECTS.handOver, to, { jobId: this.#id, hostId }, { timeoutMs: LEND_MS });
    } catch (cause) {
      const message = 'whoever kept the headers of the job is gone, or its host has no private way to NATS';
      throw new ShoalError('ERR_JOB_HEADERS_LOST', message, { cause });
    }
    this.#reader = hostId;
  }

  async choose(): Promise<void> {
    if (this.#job.kind === 'pin') return this.#choosePin();
    if (this.#job.progress.hosts > 0) return;
    const { request } = this.#job;
    const chosen = chooseHosts(this.#hosts, request.targets, this.#world.random);
    await this.#settleHosts(chosen.map(waitingRow));
  }

  /** Hosts that hold it go on to; those that are gone are replaced, and those too many let go. */
  async #choosePin(): Promise<void> {
    const { request } = this.#job;
    const { pin = { copies: 1 } } = request;
    const there = this.#hosts;
    const rows = this.#book.rows;
    const holding = rows.filter(({ state }) => state !== 'failed' && state !== 'lost');
    const held = new Set(holding.map(({ hostId }) => hostId));
    const chosen = choosePinHosts(there, request.targets, pin, held, this.#world.random);
    const ids = new Set(chosen.map(({ hostId }) => hostId));
    const living = new Set(there.map(({ hostId }) => hostId));
    const gone = rows.filter(({ hostId }) => !ids.has(hostId));
    for (const { hostId } of gone) {
      if (living.has(hostId)) await this.#tellOver(hostId, false);
    }
    const lost = gone.filter(({ hostId }) => !living.has(hostId)).slice(-LOST_TOLD);
    await this.#settleHosts([
      ...chosen.map((host) => holding.find(({ hostId }) => hostId === host.hostId) ?? waitingRow(host)),
      ...lost.map((row): JobHost => ({ ...row, state: 'lost' })),
    ]);
  }

  /** The pages first: what the record tells of is there. */
  async #settleHosts(rows: readonly JobHost[]): Promise<void> {
    this.#book = new HostsBook(rows);
    for (let page = 0; page < this.#book.pages; page += 1) {
      await kept(this.#store.putPage(this.#id, page, this.#book.page(page)));
    }
    await this.#writeRecord();
  }

  async work(signal: AbortSignal): Promise<void> {
    const { kind, request } = this.#job;
    const isPin = kind === 'pin';
    const open = this.#book.rows.filter(({ state }) =>
      isPin ? state !== 'lost' : state === 'waiting' || state === 'running',
    );
    const ending = new AbortController();
    const stop = AbortSignal.any([signal, ending.signal]);
    const everyMs = Math.max(EVERY_MS, open.length * EVERY_MS_PER_HOST);
    const waiting = open.map(({ hostId }) => hostId).filter((hostId) => hostId !== this.#reader);
    const read = this.#read(everyMs, stop);
    const lane = async () => {
      await read;
      for (let hostId = waiting.shift(); hostId !== undefined; hostId = waiting.shift()) {
        await this.#follow(hostId, everyMs, stop);
      }
    };
    const lanes: Promise<void>[] = Array.from(
      { length: Math.min(waiting.length, request.concurrency ?? waiting.length) },
      lane,
    );
    const writing = this.#writeOften(stop);
    try {
      // Where it cannot be written down any more, it is another's: the hosts are followed no more.
      await Promise.race([Promise.all([read, ...lanes]), writing]);
    } finally {
      ending.abort(new ShoalError('ERR_CANCELLED', 'the hosts are followed no more'));
      await Promise.allSettled([read, ...lanes, writing]);
    }
    await this.#write();
  }

  /** Where headers were lent, that host has all of it before the others take it from there. @throws why it has not */
  async #read(everyMs: number, signal: AbortSignal): Promise<void> {
    if (this.#reader === undefined) return;
    const { state, error, errors } = await this.#follow(this.#reader, everyMs, signal);
    const [why = { code: 'ERR_JOB_FAILED', message: 'the content was not read' }] = error ? [error] : errors;
    if (state === 'failed') throw errorFromWire(why);
  }

  async #follow(hostId: HostId, everyMs: number, signal: AbortSignal): Promise<HostOutcome> {
    const { kind, request } = this.#job;
    const items = this.#items;
    const begunMs = this.#world.clock.now();
    const terms = {
      priority: request.priority,
      ...(kind === 'evict' && { verb: 'evict' as const }),
      ...(kind === 'pin' && { keepUntilMs: this.#keepUntilMs }),
      ...(this.#reader !== undefined && {
        lent: hostId === this.#reader ? ('headers' as const) : ('peers' as const),
      }),
    };
    const order = { jobId: this.#id, hostId, items, terms, everyMs };
    const wasPinned = this.#book.get(hostId)?.state === 'pinned';
    const outcome = await followOrder(
      this.#world,
      order,
      (reply) => {
        const durationMs = Math.round(this.#world.clock.now() - begunMs);
        if (!wasPinned) this.#book.heard(hostId, reply, items.length, durationMs);
      },
      signal,
    );
    this.#book.ended({ ...outcome, hostId }, kind === 'pin');
    return outcome;
  }

  async settle(): Promise<void> {
    const { kind } = this.#job;
    const { hosts, failed } = this.#book.progress;
    if (kind === 'pin') return this.#settlePin();
    await this.#end(
      failed === 0 ? 'succeeded' : 'failed',
      failed === 0 ? undefined : new ShoalError('ERR_JOB_FAILED', `${failed} of ${hosts} hosts failed`),
    );
  }

  /** It goes on: whoever looks after it has it taken up again. */
  async #settlePin(): Promise<void> {
    const { pin = { copies: 1 } } = this.#job.request;
    const pinned = this.#book.rows.filter(({ state }) => state === 'pinned');
    const zones = new Set(pinned.map(({ zone = '' }) => zone)).size;
    const lacking = [
      ...(pinned.length < pin.copies ? [`${pinned.length} of ${pin.copies} copies`] : []),
      ...(zones < (pin.zones ?? 1) ? [`${zones} of ${pin.zones} zones`] : []),
    ];
    await this.#noteOnPin(
      lacking.length === 0 ? undefined : new ShoalError('ERR_PIN_SHORT', `only ${lacking.join(' and ')}`),
    );
  }

  async #noteOnPin(error: ShoalError | undefined): Promise<void> {
    const { progress } = this.#book;
    await this.#change(({ error: _before, ...job }) => ({
      ...job,
      progress,
      ...(error !== undefined && { error: shortError(error) }),
    }));
    tellJob(this.#world, 'job.progressed', this.#job);
  }

  async fail(thrown: unknown): Promise<void> {
    const error = toShoalError(thrown);
    const { kind, resolved } = this.#job;
    // What holds goes on holding: what keeps it from more may be over at the next look.
    if (kind === 'pin' && (resolved !== undefined || error.retryable)) return this.#noteOnPin(error);
    await this.#end('failed', error);
  }

  async halt(): Promise<void> {
    const waiting = this.#book.rows.filter(({ state }) => state !== 'lost').map(({ hostId }) => hostId);
    const lane = async () => {
      for (let hostId = waiting.shift(); hostId !== undefined; hostId = waiting.shift()) {
        await this.#tellOver(hostId, true);
      }
    };
    await Promise.all(Array.from({ length: Math.min(waiting.length, HALTED_AT_ONCE) }, lane));
    for (const row of this.#book.rows) {
      if (row.state === 'waiting' || row.state === 'running') this.#book.set({ ...row, state: 'cancelled' });
    }
    await this.#write();
    const isDue = this.#job.kind === 'pin' && !this.#job.cancelling;
    await this.#end(isDue ? 'succeeded' : 'cancelled', undefined);
  }

  /** A host that does not answer is gone, or lets go by itself in time. */
  async #tellOver(hostId: HostId, over: boolean): Promise<void> {
    const { bus, log } = this.#world;
    for (let tries = 1; ; tries += 1) {
      try {
        await endOrder(bus, { jobId: this.#id, hostId, over });
        return;
      } catch (error) {
        if (tries < HALT_TRIES && this.#world.hosts.get(hostId) !== undefined) continue;
        log.warn(
          { jobId: this.#id, hostId, err: toShoalError(error) },
          'a host was not told that a job is over',
        );
        return;
      }
    }
  }

  async #end(state: 'succeeded' | 'failed' | 'cancelled', error: ShoalError | undefined): Promise<void> {
    const endedAtMs = this.#world.clock.wall();
    const { progress } = this.#book;
    await this.#change(({ error: _before, ...job }) => ({
      ...job,
      state,
      endedAtMs,
      progress: progress.hosts === 0 ? NO_PROGRESS : progress,
      cancelling: false,
      ...(error !== undefined && { error: shortError(error) }),
    }));
    tellJob(this.#world, `job.${state}`, this.#job);
  }

  async #writeOften(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(this.#world.clock, WRITE_MS, signal).catch(() => undefined);
      if (!signal.aborted) await this.#write();
    }
  }

  /** Writes down what is new of the hosts; the record first, for it tells whose the job is. */
  async #write(): Promise<void> {
    const changed = this.#book.takeChanged();
    if (changed.length === 0) return;
    await this.#writeRecord();
    for (const [page, rows] of changed) await kept(this.#store.putPage(this.#id, page, rows));
    tellJob(this.#world, 'job.progressed', this.#job);
  }

  async #writeRecord(): Promise<void> {
    const { progress } = this.#book;
    await this.#change((job) => ({ ...job, progress }));
  }

  async #change(change: (job: JobRecord) => JobRecord): Promise<void> {
    await this.#own.change(change);
  }

  /** Whether it is to be ended rather than worked on. */
  #isToEnd({ cancelling, request }: JobRecord): boolean {
    return cancelling || (request.pin?.untilMs ?? Number.POSITIVE_INFINITY) <= this.#world.clock.wall();
  }

  get #keepUntilMs(): number {
    const { untilMs = Number.POSITIVE_INFINITY } = this.#job.request.pin ?? {};
    return Math.min(untilMs, this.#world.clock.wall() + KEEP_MS);
  }

  /** Seeds first, and of these whoever: all may look up what all may read. */
  get #way(): LookUpWay {
    if (this.#reader !== undefined) return { bus: this.#world.bus, jobId: this.#id, hosts: [this.#reader] };
    const hosts = [...this.#hosts].sort((a, b) => Number(b.role === 'seed') - Number(a.role === 'seed'));
    return { bus: this.#world.bus, jobId: this.#id, hosts: hosts.map(({ hostId }) => hostId) };
  }

  get #hosts(): TargetHost[] {
    return [...this.#world.hosts.rows()].map(({ hostId, alive }) => {
      const { ip, role, name, zone, labels } = alive;
      return { hostId, ip, role, name, zone, labels };
    });
  }

  get #own(): OwnRecord {
    if (this.#record === undefined) throw new LeftJob('the job has not begun');
    return this.#record;
  }

  get #job(): JobRecord {
    return this.#own.job;
  }
}
