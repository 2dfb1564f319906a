import type { Alive } from '../../core/host-messages.ts';
import { type HostId, hostIdFrom, partitionOf, type TaskId } from '../../core/ids.ts';
import type { LeaseSet, SyncReply, SyncRequest } from '../../core/sync-messages.ts';
import type { Simulation } from '../../sim/world.ts';
import type { MemoryBus } from '../../transport/memory-bus.ts';
import { SUBJECTS } from '../../transport/subjects.ts';

export const PIECE = 128 * 1024;

/** A host that is only its messages, so that each can be doubled and sent out of order. */
export class Puppet {
  readonly hostId: HostId;
  readonly bus: MemoryBus;
  readonly #sim: Simulation;

  constructor(sim: Simulation, number: number) {
    this.#sim = sim;
    this.hostId = hostIdFrom(new Uint8Array(16).fill(number));
    this.bus = sim.place.hub.bus(this.hostId);
  }

  alive(incarnation: number): Alive {
    return {
      incarnation,
      ip: '10.9.0.1',
      port: 4000,
      role: 'normal',
      version: 'puppet',
      uploading: 0,
      downloading: 0,
      slotsUp: 12,
      slotsDown: 20,
      cachedBytes: 0,
      cachedTasks: 0,
    };
  }

  /** Waits in virtual time for something that is under way. */
  async settle<T>(promise: Promise<T>): Promise<T> {
    let ended = false;
    const end = () => {
      ended = true;
    };
    promise.then(end, end);
    await this.#sim.run(10_000, () => ended);
    return promise;
  }

  announce(incarnation = 1) {
    const message = { ...this.alive(incarnation), publicKey: new Uint8Array(32) };
    const { hostId } = this;
    return this.settle(this.bus.request(SUBJECTS.announce, { hostId }, message, { timeoutMs: 1_000 }));
  }

  sync(taskId: TaskId, more: Partial<SyncRequest>): Promise<SyncReply> {
    const tokens = { partition: String(partitionOf(taskId)), taskId, hostId: this.hostId };
    const message: SyncRequest = {
      incarnation: 1,
      seq: 1,
      base: 0,
      added: [],
      running: [],
      queued: [],
      freeSlots: 4,
      transferBytesPerSec: 0,
      wants: true,
      sources: [],
      mayReadOrigin: false,
      failures: [],
      adrift: false,
      hashCursor: 0,
      seen: { epoch: 0, number: 0 },
      received: { origin: 0, peers: 0, local: 0 },
      ...more,
    };
    return this.settle(this.bus.request(SUBJECTS.sync, tokens, message, { timeoutMs: 1_000 }));
  }

  /** The lease set of an answer. @throws where the sync was answered otherwise */
  async set(taskId: TaskId, more: Partial<SyncRequest>): Promise<LeaseSet> {
    const reply = await this.sync(taskId, more);
    if (reply.status !== 'ok') throw new Error(`answered ${reply.status}`);
    return reply;
  }

  /** What the scheduler believes this host holds of a task, in pieces. */
  async held(taskId: TaskId): Promise<number | undefined> {
    const reply = await this.settle(
      this.bus.request(
        SUBJECTS.query,
        { noun: 'task', sender: this.hostId },
        { op: 'show', taskId },
        { timeoutMs: 1_000 },
      ),
    );
    const { task } = reply as { task?: { peers: { hostId: string; have: number }[] } };
    return task?.peers.find(({ hostId }) => hostId === this.hostId)?.have;
  }
}
