import { ShoalError } from '../../core/errors.ts';
import type { HostId, TaskId } from '../../core/ids.ts';
import { LIMITS } from '../../core/limits.ts';

/** What a host brought a task to. */
interface Part {
  /** Pieces that account is kept of because of it. */
  charged: number;
  /** The most that it ever claimed. */
  most: number;
}

interface Row {
  /** Tasks that it takes part in, and those that it was the last to leave. */
  readonly tasks: Map<TaskId, Part>;
  /** Those that it wants nothing of any more, the longest first. */
  readonly resting: Set<TaskId>;
  /** Those that nobody else takes part in. */
  readonly alone: Set<TaskId>;
  pieces: number;
}

/** What a host says of a task. */
interface Claim {
  /** How many pieces it claims, and how many account is kept of already. */
  readonly pieces: number;
  readonly known: number;
  readonly wants: boolean;
}

/** So many of a host's resting tasks are looked at for one that can end. */
const LOOKED_AT = 64;

/**
 * The tasks that each host has at work at a scheduler: as many as a host can need, and no more. A task that lives on when
 * all have left it counts for the last of them until it ends, so that going and coming back gives a host no more.
 */
export class TaskQuota {
  readonly #rows = new Map<HostId, Row>();
  readonly #hostsOf = new Map<TaskId, Set<HostId>>();
  /** Tasks that nobody takes part in, those left longest ago first, and who left them. */
  readonly #left = new Map<TaskId, HostId>();

  /**
   * Counts a task as the host's before it is opened, and the pieces that it claims beyond those known.
   * @param end ends a task that nobody works on; false where somebody does
   * @throws ERR_SCHED_BUSY where the host has too many
   */
  take(hostId: HostId, taskId: TaskId, claim: Claim, end: (taskId: TaskId) => boolean): void {
    const row = this.#rows.get(hostId) ?? {
      tasks: new Map<TaskId, Part>(),
      resting: new Set<TaskId>(),
      alone: new Set<TaskId>(),
      pieces: 0,
    };
    const part = row.tasks.get(taskId) ?? { charged: 0, most: 0 };
    const growth = Math.max(0, claim.pieces - Math.max(claim.known, part.most));
    const full = () => !row.tasks.has(taskId) && row.tasks.size >= LIMITS.tasksPerHost;
    const large = () => growth > 0 && row.pieces > part.charged && row.pieces + growth > LIMITS.piecesPerHost;
    if (full() || large()) {
      for (const other of [...row.resting].slice(0, LOOKED_AT)) {
        if (!full() && !large()) break;
        row.resting.delete(other);
        // Others work on it: it is looked at again after the rest.
        if (other === taskId || !end(other)) row.resting.add(other);
      }
    }
    if (full())
      throw new ShoalError('ERR_SCHED_BUSY', `this host works on ${row.tasks.size} tasks: no more are taken`);
    if (large())
      throw new ShoalError('ERR_SCHED_BUSY', `this host works on ${row.pieces} pieces: no more are taken`);
    this.#rows.set(hostId, row);
    row.tasks.set(taskId, part);
    if (claim.wants) row.resting.delete(taskId);
    else row.resting.add(taskId);
    part.charged += growth;
    part.most = Math.max(part.most, claim.pieces);
    row.pieces += growth;
    this.#enter(hostId, row, taskId);
  }

  #enter(hostId: HostId, row: Row, taskId: TaskId): void {
    const leaver = this.#left.get(taskId);
    this.#left.delete(taskId);
    if (leaver !== undefined && leaver !== hostId) this.#release(leaver, taskId);
    const hosts = this.#hostsOf.get(taskId) ?? new Set();
    if (hosts.has(hostId)) return;
    if (hosts.size === 1) for (const other of hosts) this.#rows.get(other)?.alone.delete(taskId);
    this.#hostsOf.set(taskId, hosts.add(hostId));
    if (hosts.size === 1) row.alone.add(taskId);
  }

  /**
   * Ends a task where there are as many as all hosts together may have: what nobody takes part in, the longest left
   * first; then one that only the host takes part in that has most of those; or a resting one of the host that asks.
   * @returns false where no task may end for this host: it has as many as any other
   */
  makeRoom(hostId: HostId, taskId: TaskId, end: (taskId: TaskId) => void): boolean {
    const own = this.#rows.get(hostId);
    let victim = firstOf(this.#left.keys(), () => true);
    if (victim === undefined) {
      let most: Row | undefined;
      for (const row of this.#rows.values()) {
        if (row.alone.size > ((most ?? own)?.alone.size ?? 0)) most = row;
      }
      victim = restingAlone(most ?? own, taskId) ?? firstOf(most?.alone, () => true);
    }
    if (victim !== undefined) end(victim);
    return victim !== undefined;
  }

  /** Tasks that are counted as the host's. */
  tasksOf(hostId: HostId): Iterable<TaskId> {
    return this.#rows.get(hostId)?.tasks.keys() ?? [];
  }

  /** A host takes part no more in a task that lives on. */
  leave(hostId: HostId, taskId: TaskId): void {
    const hosts = this.#hostsOf.get(taskId);
    const row = this.#rows.get(hostId);
    if (row === undefined || hosts?.delete(hostId) !== true) return;
    if (hosts.size === 1) for (const last of hosts) this.#rows.get(last)?.alone.add(taskId);
    if (hosts.size > 0) return this.#release(hostId, taskId);
    this.#hostsOf.delete(taskId);
    row.alone.delete(taskId);
    row.resting.add(taskId);
    this.#left.set(taskId, hostId);
  }

  /** The task is over: it counts for nobody. */
  ended(taskId: TaskId): void {
    for (const hostId of this.#hostsOf.get(taskId) ?? []) this.#release(hostId, taskId);
    const leaver = this.#left.get(taskId);
    if (leaver !== undefined) this.#release(leaver, taskId);
    this.#hostsOf.delete(taskId);
    this.#left.delete(taskId);
  }

  #release(hostId: HostId, taskId: TaskId): void {
    const row = this.#rows.get(hostId);
    if (row === undefined) return;
    row.pieces -= row.tasks.get(taskId)?.charged ?? 0;
    row.tasks.delete(taskId);
    row.resting.delete(taskId);
    row.alone.delete(taskId);
    if (row.tasks.size === 0) this.#rows.delete(hostId);
  }
}

/** A task that the host alone takes part in and wants nothing of, but for that one. */
function restingAlone(row: Row | undefined, except: TaskId): TaskId | undefined {
  return firstOf(row?.resting, (taskId) => taskId !== except && row?.alone.has(taskId) === true);
}

function firstOf(ids: Iterable<TaskId> | undefined, fits: (taskId: TaskId) => boolean): TaskId | undefined {
  for (const taskId of ids ?? []) if (fits(taskId)) return taskId;
  return undefined;
}
