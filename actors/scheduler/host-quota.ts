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
  /** Messages it may send at once, and as of when. */
  credit: number;
  atMs: number;
  readonly tasks: Map<TaskId, Part>;
  /** Those that it wants nothing of any more, the longest first. */
  readonly resting: Set<TaskId>;
  pieces: number;
}

/** So many of a host's resting tasks are looked at for one that can end. */
const LOOKED_AT = 64;

/** What each host has at work at a scheduler: it may ask for as much as a host can need, and for no more. */
export class HostQuota {
  /** Heard more than once, and once: those heard longest ago first. */
  readonly #rows = new Map<HostId, Row>();
  readonly #strangers = new Map<HostId, Row>();
  readonly #hostsOf = new Map<TaskId, Set<HostId>>();
  readonly #onDropped: (hostId: HostId) => void;

  /** @param onDropped a host was heard least where there are too many */
  constructor(onDropped: (hostId: HostId) => void) {
    this.#onDropped = onDropped;
  }

  get hosts(): number {
    return this.#rows.size + this.#strangers.size;
  }

  /** Whether a message of that size is taken now; false where the host sends too much. */
  admit(hostId: HostId, bytes: number, nowMs: number): boolean {
    const row = this.#hear(hostId, nowMs);
    const { hostMessagesPerSec, hostMessagesBurst } = LIMITS;
    row.credit = Math.min(hostMessagesBurst, row.credit + ((nowMs - row.atMs) / 1_000) * hostMessagesPerSec);
    row.atMs = nowMs;
    const cost = Math.max(1, bytes / 1_024);
    if (row.credit < cost) return false;
    row.credit -= cost;
    return true;
  }

  #hear(hostId: HostId, nowMs: number): Row {
    const known = this.#rows.get(hostId) ?? this.#strangers.get(hostId);
    if (known !== undefined) {
      this.#rows.delete(hostId);
      this.#strangers.delete(hostId);
      this.#rows.set(hostId, known);
      return known;
    }
    if (this.hosts >= LIMITS.hostsKnown) this.#dropLeastHeard();
    const row = {
      credit: LIMITS.hostMessagesBurst,
      atMs: nowMs,
      tasks: new Map(),
      resting: new Set<TaskId>(),
      pieces: 0,
    };
    this.#strangers.set(hostId, row);
    return row;
  }

  #dropLeastHeard(): void {
    const [stranger] = this.#strangers.keys();
    const [hostId = stranger] = stranger === undefined ? this.#rows.keys() : [];
    if (hostId !== undefined) this.#onDropped(hostId);
  }

  /**
   * Counts a task as the host's before it is opened, and the pieces that it claims beyond those `known`.
   * @param end ends a task that nobody works on; false where somebody does
   * @throws ERR_SCHED_BUSY where the host has too many
   */
  take(
    hostId: HostId,
    taskId: TaskId,
    { pieces, known, wants }: { readonly pieces: number; readonly known: number; readonly wants: boolean },
    end: (taskId: TaskId) => boolean,
  ): void {
    const row = this.#rows.get(hostId) ?? this.#strangers.get(hostId);
    if (row === undefined) return;
    const part = row.tasks.get(taskId) ?? { charged: 0, most: 0 };
    const growth = Math.max(0, pieces - Math.max(known, part.most));
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
    row.tasks.set(taskId, part);
    if (wants) row.resting.delete(taskId);
    else row.resting.add(taskId);
    part.charged += growth;
    part.most = Math.max(part.most, pieces);
    row.pieces += growth;
    const hosts = this.#hostsOf.get(taskId);
    if (hosts === undefined) this.#hostsOf.set(taskId, new Set([hostId]));
    else hosts.add(hostId);
  }

  /** Tasks that a host takes part in. */
  tasksOf(hostId: HostId): Iterable<TaskId> {
    return (this.#rows.get(hostId) ?? this.#strangers.get(hostId))?.tasks.keys() ?? [];
  }

  /** A host takes part in the task no more. */
  leave(hostId: HostId, taskId: TaskId): void {
    const row = this.#rows.get(hostId) ?? this.#strangers.get(hostId);
    if (row !== undefined) {
      row.pieces -= row.tasks.get(taskId)?.charged ?? 0;
      row.tasks.delete(taskId);
      row.resting.delete(taskId);
    }
    const hosts = this.#hostsOf.get(taskId);
    if (hosts?.delete(hostId) === true && hosts.size === 0) this.#hostsOf.delete(taskId);
  }

  /** The task is over: it counts for nobody. */
  ended(taskId: TaskId): void {
    for (const hostId of [...(this.#hostsOf.get(taskId) ?? [])]) this.leave(hostId, taskId);
  }

  /** A host is gone. */
  forget(hostId: HostId): void {
    for (const taskId of [...this.tasksOf(hostId)]) this.leave(hostId, taskId);
    this.#rows.delete(hostId);
    this.#strangers.delete(hostId);
  }

  /** Hosts that have said nothing for longer than that. */
  silent(nowMs: number, ms: number): HostId[] {
    const found: HostId[] = [];
    for (const rows of [this.#rows, this.#strangers]) {
      for (const [hostId, { atMs }] of rows) {
        if (nowMs - atMs <= ms) break;
        found.push(hostId);
      }
    }
    return found;
  }
}
