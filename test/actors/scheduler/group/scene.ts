import { silentLogger } from '../../../../core/logger.ts';
import { heartbeatKey, readHeartbeat } from '../../../../core/ownership.ts';
import { SimClock } from '../../../../sim/clock.ts';
import { ModelScheduler } from '../../../../sim/group/scheduler.ts';
import { ModelStore } from '../../../../sim/group/store.ts';
import { SimRandom } from '../../../../sim/random.ts';
import { createMemoryHub } from '../../../../transport/memory-bus.ts';

/** How many partitions there are here. */
export const PARTITIONS = 16;
/** A take-over is seen, looked into and claimed within this time after the term and its margin. */
export const SLACK_MS = 1_500;

/** A store, schedulers on it, and how they stand. */
export function scene(log = silentLogger) {
  const clock = new SimClock();
  const random = new SimRandom(3);
  const hub = createMemoryHub({ clock, random, latencyMs: () => 1 });
  const store = new ModelStore(clock, random);
  const ground = { clock, random, hub, store, partitions: PARTITIONS, log };
  const all: ModelScheduler[] = [];
  const start = (keyId = `key-${all.length}`, skewMs = 0) => {
    const scheduler = new ModelScheduler(ground, { keyId, skewMs });
    all.push(scheduler);
    return scheduler;
  };
  const run = (ms: number, done?: () => boolean) => clock.run(clock.now() + ms, done);
  /** Under which epoch a scheduler grants a partition now. */
  const epochOf = (scheduler: ModelScheduler, partition: number): number | undefined => {
    let granted: number | undefined;
    if (scheduler.isAlive)
      scheduler.asked(partition, undefined, (epoch) => {
        granted = epoch;
      });
    return granted;
  };
  const served = (scheduler: ModelScheduler) =>
    Array.from({ length: PARTITIONS }, (_, index) => index).filter(
      (index) => epochOf(scheduler, index) !== undefined,
    );
  /** How many serve each partition. */
  const counts = () => {
    const found = all.flatMap(served);
    return Array.from({ length: PARTITIONS }, (_, index) => found.filter((each) => each === index).length);
  };
  const isGuided = (scheduler: ModelScheduler) => scheduler.describe().split(' ')[1] === 'guided';
  /** What its heartbeat gives away. */
  const offers = ({ id }: ModelScheduler): readonly number[] => {
    const heartbeat = store.get(heartbeatKey(id));
    return (heartbeat && readHeartbeat(heartbeat)?.offers) ?? [];
  };
  const isWhole = () => counts().every((count) => count === 1);
  /** The longest time for which some partition had nobody, while time passes. */
  const gapMs = async (ms: number): Promise<number> => {
    let longest = 0;
    let sinceMs: number | undefined;
    const end = clock.now() + ms;
    while (clock.now() < end) {
      if (counts().includes(0)) sinceMs ??= clock.now();
      else sinceMs = undefined;
      longest = Math.max(longest, sinceMs === undefined ? 0 : clock.now() - sinceMs);
      await run(5);
    }
    return longest;
  };
  return { clock, store, all, start, run, epochOf, served, offers, isGuided, isWhole, gapMs };
}
