import { Bitfield } from '../../core/bitfield.ts';
import type { Holds } from '../../core/host-messages.ts';
import type { HostId, TaskId } from '../../core/ids.ts';
import { LIMITS } from '../../core/limits.ts';
import type { TaskAudience } from '../../core/probed.ts';

/** What one host holds of one task while nobody works on it: all of it, or a bitfield. */
type Holding = 'complete' | Uint8Array;

const bytesOf = (holding: Holding | undefined): number =>
  holding instanceof Uint8Array ? holding.length : 0;

/** Rows for tasks at rest: who holds what, from `holds` and from peers that finished. */
export class TaskHoldings {
  readonly #byTask = new Map<TaskId, Map<HostId, Holding>>();
  readonly #byHost = new Map<HostId, Set<TaskId>>();
  /** Bytes of the bitfields of each host. */
  readonly #bytes = new Map<HostId, number>();
  /** Tasks that somebody holds and that are not for everybody, as a holder said. */
  readonly #private = new Set<TaskId>();

  /** Returns whether it was taken: a host has no more than one host can need. */
  set(taskId: TaskId, hostId: HostId, holding: Holding, audience: TaskAudience): boolean {
    if (!this.#fits(taskId, hostId, holding)) return false;
    if (audience === 'source') this.#private.add(taskId);
    let hosts = this.#byTask.get(taskId);
    if (hosts === undefined) {
      hosts = new Map();
      this.#byTask.set(taskId, hosts);
    }
    this.#weigh(hostId, bytesOf(holding) - bytesOf(hosts.get(hostId)));
    hosts.set(hostId, holding);
    let tasks = this.#byHost.get(hostId);
    if (tasks === undefined) {
      tasks = new Set();
      this.#byHost.set(hostId, tasks);
    }
    tasks.add(taskId);
    return true;
  }

  #fits(taskId: TaskId, hostId: HostId, holding: Holding): boolean {
    const before = this.#byTask.get(taskId)?.get(hostId);
    const tasks = (this.#byHost.get(hostId)?.size ?? 0) + (before === undefined ? 1 : 0);
    const bytes = (this.#bytes.get(hostId) ?? 0) + bytesOf(holding) - bytesOf(before);
    return (
      (before !== undefined || tasks <= LIMITS.holdingsPerHost) &&
      (bytesOf(holding) === 0 || bytes <= LIMITS.holdingBytesPerHost)
    );
  }

  #weigh(hostId: HostId, bytes: number): void {
    const weight = (this.#bytes.get(hostId) ?? 0) + bytes;
    if (weight > 0) this.#bytes.set(hostId, weight);
    else this.#bytes.delete(hostId);
  }

  delete(taskId: TaskId, hostId: HostId): void {
    const hosts = this.#byTask.get(taskId);
    this.#weigh(hostId, -bytesOf(hosts?.get(hostId)));
    hosts?.delete(hostId);
    this.#dropEmpty(taskId);
    const tasks = this.#byHost.get(hostId);
    if (tasks?.delete(taskId) === true && tasks.size === 0) this.#byHost.delete(hostId);
  }

  /** Tasks that a host holds. */
  tasksOf(hostId: HostId): Iterable<TaskId> {
    return this.#byHost.get(hostId) ?? [];
  }

  /** Whether anybody holds it. */
  has(taskId: TaskId): boolean {
    return this.#byTask.has(taskId);
  }

  #dropEmpty(taskId: TaskId): void {
    if (this.#byTask.get(taskId)?.size !== 0) return;
    this.#byTask.delete(taskId);
    this.#private.delete(taskId);
  }

  /** Forgets all of a host that is gone or reborn. */
  deleteHost(hostId: HostId): void {
    for (const taskId of this.#byHost.get(hostId) ?? []) {
      this.#byTask.get(taskId)?.delete(hostId);
      this.#dropEmpty(taskId);
    }
    this.#byHost.delete(hostId);
    this.#bytes.delete(hostId);
  }

  /** Takes one page of a host's holdings; returns the rows that were not too many. */
  take(hostId: HostId, holds: Holds): Holds['tasks'] {
    const taken = holds.tasks.filter((row) =>
      this.set(row.taskId, hostId, row.have ?? 'complete', row.audience),
    );
    for (const taskId of holds.gone) this.delete(taskId, hostId);
    return taken;
  }

  /** Forgets all of these tasks: another scheduler hears of them from now on. */
  forget(isForgotten: (taskId: TaskId) => boolean): void {
    for (const [taskId, hosts] of [...this.#byTask]) {
      if (isForgotten(taskId)) for (const hostId of [...hosts.keys()]) this.delete(taskId, hostId);
    }
  }

  hosts(taskId: TaskId): Iterable<readonly [HostId, Holding]> {
    return this.#byTask.get(taskId) ?? [];
  }

  /** Who may have it, as far as those who hold it said. */
  audience(taskId: TaskId): TaskAudience {
    return this.#private.has(taskId) ? 'source' : 'public';
  }

  tasks(): Iterable<TaskId> {
    return this.#byTask.keys();
  }

  /** The bits of a holding; undefined where they do not fit the number of pieces. */
  static bits(holding: Holding, pieces: number): Bitfield | undefined {
    if (holding === 'complete') return Bitfield.full(pieces);
    return holding.length === Math.ceil(pieces / 8) ? new Bitfield(pieces, holding) : undefined;
  }
}
