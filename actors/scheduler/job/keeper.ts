import { nextFiring } from '../../../core/cron.ts';
import { toShoalError } from '../../../core/errors.ts';
import type { HostId } from '../../../core/ids.ts';
import { isEnded, type JobRecord, partitionOfJob } from '../../../core/jobs.ts';
import type { GroupWorld } from '../world.ts';
import type { JobDesk } from './desk.ts';
import type { JobStore, StoredJob } from './job-store.ts';
import type { JobTable } from './job-table.ts';

interface KeeperParts {
  readonly world: Pick<GroupWorld, 'clock' | 'hosts' | 'log' | 'bus'>;
  readonly store: JobStore;
  readonly table: JobTable;
  readonly desk: JobDesk;
  /** Whether this scheduler looks after the jobs of a partition. */
  readonly owns: (partition: number) => boolean;
}

/** A job that is open is called again this often: what is in the queue, or worked on, stays as it is. */
const CALL_MS = 30_000;
/** A pin is looked after anew this often, though nothing seems to be amiss. */
const PIN_MS = 300_000;
/** A host of a pin that is silent for this time is gone for good. */
const GONE_MS = 15_000;
/** Jobs that are over are kept for this time, and so many of them at most. */
const KEPT_MS = 7 * 86_400_000;
const KEPT = 10_000;
/** A firing that was missed by more than this, because no scheduler was there, is not made up for. */
const LATE_MS = 3_600_000;

/** What is known of an open job beside what the store has. */
interface Care {
  calledMs: number;
  /** Of a pin: its hosts, as of that record, and since when each is silent. */
  readAt?: number;
  hosts: HostId[];
  readonly silentMs: Map<HostId, number>;
}

/** Looks after the jobs of the partitions that this scheduler owns: schedules fire, pins are repaired, old jobs go. */
export class JobKeeper {
  readonly #parts: KeeperParts;
  readonly #care = new Map<string, Care>();
  #busy = false;

  constructor(parts: KeeperParts) {
    this.#parts = parts;
  }

  /** Looks at all of them, unless it is still at it. */
  tick(): void {
    if (this.#busy || this.#parts.world.bus.state !== 'connected') return;
    this.#busy = true;
    void this.#look()
      .catch((error: unknown) => {
        this.#parts.world.log.debug({ code: toShoalError(error).code }, 'jobs cannot be looked after');
      })
      .finally(() => {
        this.#busy = false;
      });
  }

  async #look(): Promise<void> {
    const { table, owns } = this.#parts;
    const open = new Set<string>();
    const over: StoredJob[] = [];
    for (const stored of [...table.all()]) {
      const { job } = stored;
      if (!owns(partitionOfJob(job.id))) continue;
      if (isEnded(job.state)) over.push(stored);
      else {
        open.add(job.id);
        await this.#attend(stored);
      }
    }
    for (const id of [...this.#care.keys()]) if (!open.has(id)) this.#care.delete(id);
    await this.#forget(over);
  }

  async #attend(stored: StoredJob): Promise<void> {
    const { job } = stored;
    if (job.schedule !== undefined) return this.#fire(job);
    const now = this.#parts.world.clock.now();
    const care = this.#careOf(job.id, now);
    const holds = job.kind === 'pin' && job.state === 'running' && !job.cancelling;
    if (now - care.calledMs < (holds ? PIN_MS : CALL_MS) && !(holds && (await this.#lacks(stored, care))))
      return;
    care.calledMs = now;
    await this.#parts.desk.call(job);
  }

  /** Whoever accepted it has just called it; one who takes over after him waits a moment too. */
  #careOf(id: string, nowMs: number): Care {
    const known = this.#care.get(id);
    if (known !== undefined) return known;
    const care = { calledMs: nowMs - CALL_MS / 2, hosts: [], silentMs: new Map() };
    this.#care.set(id, care);
    return care;
  }

  /** Whether a pin is due, or a host of it is gone for good, or there are too few and others may do. */
  async #lacks({ job, revision }: StoredJob, care: Care): Promise<boolean> {
    const { clock, hosts } = this.#parts.world;
    const now = clock.now();
    const { untilMs = Number.POSITIVE_INFINITY } = job.request.pin ?? {};
    const isSoon = now - care.calledMs < GONE_MS;
    if (isSoon) return false;
    if (clock.wall() >= untilMs || job.error !== undefined) return true;
    if (care.readAt !== revision) {
      const rows = await this.#parts.store.hosts(job);
      care.hosts = rows.flatMap(({ hostId, state }) => (state === 'lost' ? [] : [hostId]));
      care.readAt = revision;
    }
    let isGone = false;
    for (const hostId of care.hosts) {
      if (hosts.get(hostId) !== undefined) care.silentMs.delete(hostId);
      else {
        const sinceMs = care.silentMs.get(hostId) ?? now;
        care.silentMs.set(hostId, sinceMs);
        isGone ||= now - sinceMs >= GONE_MS;
      }
    }
    return isGone;
  }

  /** A firing is a job whose key is its time: however many schedulers come to it, there is one. */
  async #fire({ id, request, by, schedule }: JobRecord): Promise<void> {
    const { world, desk, store } = this.#parts;
    const { schedule: when, ...rest } = request;
    const dueMs = schedule?.nextAtMs;
    const nowMs = world.clock.wall();
    if (when === undefined || dueMs === undefined || dueMs > nowMs) return;
    const isMissed = nowMs - dueMs > LATE_MS;
    const fired = isMissed
      ? undefined
      : await desk.create(rest, { idempotencyKey: `${id}@${dueMs}`, by, parent: id });
    const nextAtMs = nextFiring(when, nowMs);
    await store.change(id, (job) => {
      if (isEnded(job.state) || job.schedule?.nextAtMs !== dueMs) return undefined;
      const { nextAtMs: _due, ...before } = job.schedule;
      const last =
        fired === undefined ? {} : { lastAtMs: dueMs, lastJob: fired.job.id, fired: before.fired + 1 };
      return { ...job, schedule: { ...before, ...last, ...(nextAtMs !== undefined && { nextAtMs }) } };
    });
    if (isMissed) world.log.warn({ jobId: id, dueMs }, 'a firing was missed: no scheduler was there');
  }

  async #forget(over: readonly StoredJob[]): Promise<void> {
    const { world, store } = this.#parts;
    const endedMs = ({ job }: StoredJob) => job.endedAtMs ?? job.createdAtMs;
    const oldest = [...over].sort((a, b) => endedMs(a) - endedMs(b));
    for (const [index, stored] of oldest.entries()) {
      const isOld = world.clock.wall() - endedMs(stored) > KEPT_MS;
      if (!isOld && oldest.length - index <= KEPT) return;
      await store.remove(stored);
    }
  }
}
