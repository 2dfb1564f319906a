import { TaskActor } from '../../../../actors/scheduler/task/task.ts';
import { TaskLog } from '../../../../actors/scheduler/task-log.ts';
import type { HostId, TaskId } from '../../../../core/ids.ts';
import type { LeaseSet, SyncRequest } from '../../../../core/sync-messages.ts';
import { SUBJECTS } from '../../../../transport/subjects.ts';
import { hostId } from '../../../scheduling/world.ts';
import { alive, hashes, PIECE, schedulerScene, syncOf, TASK } from '../scene.ts';

export const FOUR = { length: 4 * PIECE, pieceLength: PIECE };
export const TICK_MS = 500;

interface Options {
  readonly taskId?: TaskId;
  /** Until when nothing is leased from the origin. */
  readonly recoveredAtMs?: number;
  /** Whether the log is still to be read. */
  readonly unread?: boolean;
}

/** The actor of one task, and hosts that sync with it. */
export function taskScene({ taskId = TASK, recoveredAtMs = 0, unread = false }: Options = {}) {
  const { world, hub, events, pass: run } = schedulerScene({ recoveredAtMs });
  const task = new TaskActor(world, new TaskLog(world), taskId);
  if (!unread) task.recover(undefined, []);
  const pushed: { readonly hostId: HostId; readonly set: LeaseSet }[] = [];
  const host = (index: number) => {
    const id = hostId(index);
    let seq = 0;
    let number = 0;
    world.hosts.hear(id, alive('normal'), world.clock.now());
    hub
      .bus(id)
      .subscribe(SUBJECTS.leases, { hostId: id }, ({ set }) => void pushed.push({ hostId: id, set }));
    return {
      id,
      /** The set that a sync is answered with. */
      sync(more: Partial<SyncRequest> = {}): LeaseSet {
        seq += 1;
        const reply = task.sync(id, syncOf(seq, more));
        if (reply.status !== 'ok') throw new Error(reply.status);
        number = reply.number;
        return reply;
      },
      /** What the next sync says of the last set that it was given. */
      get seen() {
        return { epoch: world.epoch, number };
      },
      /** Reads all that it is leased from the origin, and tells; returns the last set. */
      readAll(more: Partial<SyncRequest> = {}): LeaseSet {
        let have = 0;
        for (let round = 0; round < 8; round += 1) {
          const { leases } = this.sync({ ...more, ...FOUR, have: bits(have), seen: this.seen });
          const pieces = leases
            .filter(({ parent }) => parent === 'origin')
            .flatMap(({ first, count }) => Array.from({ length: count }, (_, step) => first + step));
          if (pieces.length === 0) break;
          for (const piece of pieces) have |= 8 >> piece;
          this.sync({ ...more, ...FOUR, have: bits(have), hashes: hashes(pieces), seen: this.seen });
        }
        return this.sync({ ...more, ...FOUR, have: bits(have), seen: this.seen });
      },
    };
  };
  /** Moves time on, with the ticks of a scheduler. */
  const pass = async (ms: number) => {
    const untilMs = world.clock.now() + ms;
    while (world.clock.now() < untilMs) {
      await run(Math.min(TICK_MS, untilMs - world.clock.now()));
      task.tick(world.clock.now());
    }
  };
  /** How many messages were read of the log; takes 1 ms. */
  const count = async (reading: Promise<readonly unknown[]>) => {
    await pass(1);
    return (await reading).length;
  };
  return { task, world, events, pushed, host, pass, count, state: () => task.shown.row().state };
}

/** A bitfield of four pieces, the first of them the highest bit. */
export function bits(value: number): Uint8Array {
  return new Uint8Array([value << 4]);
}

/** The scene of one task. */
export type Scene = ReturnType<typeof taskScene>;
