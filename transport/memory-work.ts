import type { Cancel, Clock } from '../core/clock.ts';
import type { BusState, Subscription } from './bus.ts';
import type { MemoryQueue } from './memory-store.ts';
import type { WorkHandler, WorkOptions } from './wire.ts';

/** The wire that a worker reaches the store by. */
interface WorkingWire {
  readonly process: Clock;
  readonly state: BusState;
  onState(listener: (state: BusState) => void): Subscription;
  /** @throws ERR_BUS_UNAVAILABLE while the store is out of reach */
  stored<Value>(read: () => Value): Promise<Value>;
}

/** How often a worker says that it is still at it, in parts of the time after which it is given up. */
const SAYS = 3;
const AGAIN_MS = 1_000;

/** A worker of a queue in memory. */
export function workMemoryQueue(
  wire: WorkingWire,
  queue: MemoryQueue,
  { ackMs, atOnce }: WorkOptions,
  handler: WorkHandler,
): Subscription {
  const { process } = wire;
  let running = 0;
  let looking = false;
  let open = true;
  let cancelLook: Cancel = () => undefined;

  async function look(): Promise<void> {
    if (!open || looking || running >= atOnce || wire.state !== 'connected') return;
    looking = true;
    cancelLook();
    try {
      const taken = await wire.stored(() => queue.take(process.now(), ackMs));
      if ('lease' in taken) void run(taken);
      else if (Number.isFinite(taken.freeAtMs)) lookAt(taken.freeAtMs);
      looking = false;
      if ('lease' in taken) void look();
    } catch {
      // The state tells when the store is there again.
      looking = false;
    }
  }

  function lookAt(atMs: number): void {
    cancelLook = process.after(Math.max(1, atMs - process.now()), () => void look());
  }

  async function run(taken: { record: Parameters<WorkHandler>[0]; lease: number }): Promise<void> {
    const { record, lease } = taken;
    const { subject } = record;
    const tell = (tellQueue: () => void) => wire.stored(tellQueue).catch(() => undefined);
    let cancelSay: Cancel = () => undefined;
    const say = () => {
      cancelSay = process.after(ackMs / SAYS, () => {
        void tell(() => queue.renew(subject, lease, process.now() + ackMs));
        say();
      });
    };
    running += 1;
    say();
    try {
      await handler(record);
      await tell(() => queue.done(subject, lease));
    } catch {
      await tell(() => queue.renew(subject, lease, process.now() + AGAIN_MS));
    } finally {
      cancelSay();
      running -= 1;
      void look();
    }
  }

  const unlisten = queue.onNews(() => void look());
  const states = wire.onState(() => void look());
  void look();
  return {
    close: () => {
      open = false;
      cancelLook();
      unlisten();
      states.close();
    },
  };
}
