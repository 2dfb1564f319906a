import { Bitfield } from '../../core/bitfield.ts';
import type { Holds } from '../../core/host-messages.ts';
import type { HostId, TaskId } from '../../core/ids.ts';
import type { TaskAudience } from '../../core/probed.ts';

/** What one host holds of one task while nobody works on it: all of it, or a bitfield. */
type Holding = 'complete' | Uint8Array;

/** Rows for tasks at rest: who holds what, from `holds` and from peers that finished. */
export class Holdings {
  readonly #byTask = new Map<TaskId, Map<HostId, Holding>>();
  readonly #byHost = new Map<HostId, Set<TaskId>>();
  /** Tasks that somebody holds and that are not for everybody, as a holder said. */
  readonly #private = new Set<TaskId>();

  set(taskId: TaskId, hostId: HostId, holding: Holding, audience: TaskAudience): void {
    if (audience === 'source') this.#private.add(taskId);
    let hosts = this.#byTask.get(taskId);
    if (hosts === undefined) {
      hosts = new Map();
      this.#byTask.set(taskId, hosts);
    }
    hosts.set(hostId, holding);
    let tasks = this.#byHost.get(hostId);
    if (tasks === undefined) {
      tasks = new Set();
      this.#byHost.set(hostId, tasks);
    }
    tasks.add(taskId);
  }

  delete(taskId: TaskId, hostId: HostId): void {
    const hosts = this.#byTask.get(taskId);
    hosts?.delete(hostId);
    this.#dropEmpty(taskId);
    this.#byHost.get(hostId)?.delete(taskId);
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
  }

  /** Takes one page of a host's holdings. */
  take(hostId: HostId, holds: Holds): void {
    for (const row of holds.tasks) {
      this.set(row.taskId, hostId, row.have ?? 'complete', row.audience);
    }
    for (const taskId of holds.gone) this.delete(taskId, hostId);
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
