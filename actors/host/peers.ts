import type { Delivery } from '../../core/delivery.ts';
import { partitionOf, type TaskId } from '../../core/ids.ts';
import type { LeaseSet } from '../../core/sync-messages.ts';
import type { Membership } from './membership.ts';
import type { PeerInput } from './peer/input.ts';
import { PeerActor } from './peer/peer.ts';
import type { Received } from './peer/received.ts';
import { PeerShare } from './peer/share.ts';
import type { SlotPool } from './slot-pool.ts';
import type { HostWorld } from './world.ts';

/** The peers of one host: one for each task that has work, or had it a moment ago. */
export class Peers {
  readonly #world: HostWorld;
  readonly #membership: Membership;
  readonly #share: PeerShare;
  readonly #peers = new Map<TaskId, { readonly peer: PeerActor; readonly started: Promise<void> }>();

  constructor(world: HostWorld, membership: Membership) {
    this.#world = world;
    this.#membership = membership;
    this.#share = new PeerShare(world.ownUse);
  }

  /** The peer of a task, begun where there is none. @throws ERR_STORE_FULL, ERR_STORE_IO */
  async open(input: PeerInput): Promise<PeerActor> {
    let row = this.#peers.get(input.taskId);
    if (row === undefined || row.peer.ended) {
      const peer = new PeerActor(this.#world, this.#membership, this.#share, input);
      row = { peer, started: peer.start() };
      this.#peers.set(input.taskId, row);
    } else {
      row.peer.addInput(input);
    }
    try {
      await row.started;
    } catch (error) {
      this.#forget(input.taskId, row.peer);
      throw error;
    }
    return row.peer;
  }

  get pool(): SlotPool {
    return this.#share.pool;
  }

  get(taskId: TaskId): PeerActor | undefined {
    return this.#peers.get(taskId)?.peer;
  }

  /** How a task came here, so far or when it last did; undefined where that is not remembered. */
  delivery(taskId: TaskId): Delivery | undefined {
    const peer = this.get(taskId);
    const known = this.#share.deliveries.get(taskId);
    if (peer === undefined || peer.ended) return known;
    const { delivery } = peer;
    const fetched = delivery.bytes.origin + delivery.bytes.peers;
    return fetched > 0 || delivery.outcome === 'running' ? delivery : (known ?? delivery);
  }

  push(taskId: TaskId, set: LeaseSet): void {
    this.#peers.get(taskId)?.peer.push(set);
  }

  /** These partitions have another scheduler now. */
  schedulerChanged(partitions: ReadonlySet<number>): void {
    for (const [taskId, { peer }] of this.#peers) {
      if (partitions.has(partitionOf(taskId))) peer.schedulerChanged();
    }
  }

  /** Drops the rows of peers that ended; called now and then. */
  sweep(): void {
    for (const [taskId, { peer }] of this.#peers) if (peer.ended) this.#forget(taskId, peer);
  }

  /** How many downloads go on without a scheduler, and past what one says. */
  get astray(): { readonly adrift: number; readonly starved: number } {
    const states = [...this.#peers.values()].map(({ peer }) => peer.state);
    const count = (state: PeerActor['state']) => states.filter((other) => other === state).length;
    return { adrift: count('adrift'), starved: count('starved') };
  }

  /** Bytes received since the start, by source. */
  get received(): Received {
    return this.#share.received.now();
  }

  #forget(taskId: TaskId, peer: PeerActor): void {
    if (this.#peers.get(taskId)?.peer === peer) this.#peers.delete(taskId);
  }

  /** Stops every transfer, and tells the schedulers. */
  async stop(): Promise<void> {
    const peers = [...this.#peers.values()].map(({ peer }) => peer);
    this.#peers.clear();
    await Promise.all(peers.map((peer) => peer.stop()));
  }

  get size(): number {
    return this.#peers.size;
  }
}
