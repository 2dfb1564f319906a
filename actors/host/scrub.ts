import { sleep } from '../../core/clock.ts';
import { partitionOf, type TaskId } from '../../core/ids.ts';
import { sendHoldings } from './holdings.ts';
import type { Peers } from './peers.ts';
import type { HostWorld } from './world.ts';

/** What was found of one task on disk. */
export interface Scrubbed {
  readonly taskId: TaskId;
  /** Bytes read. */
  readonly bytes: number;
  /** Pieces that were not what was recorded, and are taken back. */
  readonly damaged: readonly number[];
}

interface ScrubWorld {
  readonly world: Pick<HostWorld, 'store' | 'clock' | 'log' | 'bus' | 'hostId' | 'incarnation' | 'alone'>;
  readonly peers: Pick<Peers, 'get'>;
}

/** A daemon that was just started has other things to do. */
const FIRST_MS = 600_000;
const EVERY_MS = 24 * 3_600_000;

/** Scrubs once a day, until the signal. @param bytesPerSec 0: never */
export async function keepScrubbing(
  parts: ScrubWorld,
  bytesPerSec: number,
  signal: AbortSignal,
): Promise<void> {
  const { clock, log } = parts.world;
  for (let waitMs = FIRST_MS; bytesPerSec > 0; waitMs = EVERY_MS) {
    try {
      await sleep(clock, waitMs, signal);
      const began = clock.now();
      let bytes = 0;
      for await (const scrubbed of scrub(parts, bytesPerSec, signal)) bytes += scrubbed.bytes;
      log.info({ bytes, durationMs: clock.now() - began }, 'the cache was scrubbed');
    } catch (err) {
      if (signal.aborted) return;
      log.warn({ err }, 'the cache could not be scrubbed to its end');
    }
  }
}

/**
 * Reads all that is on disk once, the least recently used first, and takes back what is not as it was recorded: nobody is
 * given it any more, and it is fetched anew when it is wanted.
 * @param bytesPerSec how much is read in a second at most
 */
export async function* scrub(
  { world, peers }: ScrubWorld,
  bytesPerSec: number,
  signal: AbortSignal,
): AsyncGenerator<Scrubbed> {
  const rows = [...world.store.rows()].sort((a, b) => a.lastUsedMs - b.lastUsedMs);
  for (const { taskId } of rows) {
    const stored = await world.store.look(taskId);
    if (stored === undefined) continue;
    const damaged: number[] = [];
    let bytes = 0;
    const unpin = stored.pin();
    try {
      for (const piece of [...stored.have.ones()]) {
        signal.throwIfAborted();
        damaged.push(...(await stored.recheck([piece])));
        bytes += stored.record.pieceLength;
        await sleep(world.clock, (stored.record.pieceLength / bytesPerSec) * 1000, signal);
      }
      if (damaged.length > 0) {
        world.log.warn({ taskId, pieces: damaged }, 'pieces on disk are not what was recorded');
        const peer = peers.get(taskId);
        if (peer !== undefined && !peer.ended) await peer.damaged();
        else await stored.drop(damaged);
      }
    } finally {
      unpin();
    }
    if (damaged.length > 0 && !world.alone) {
      await sendHoldings(world, new Map([[partitionOf(taskId), undefined]]));
    }
    yield { taskId, bytes, damaged };
  }
}
