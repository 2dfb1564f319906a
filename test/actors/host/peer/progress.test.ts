import { expect, test, vi } from 'vitest';
import type { PeerNews } from '../../../../actors/host/peer/chart.ts';
import type { PeerContent } from '../../../../actors/host/peer/content.ts';
import type { LeaseBook } from '../../../../actors/host/peer/lease-book.ts';
import { PeerProgress } from '../../../../actors/host/peer/progress.ts';
import { PeerShare } from '../../../../actors/host/peer/share.ts';
import { PeerStats } from '../../../../actors/host/peer/stats.ts';
import { SlotPool } from '../../../../actors/host/slot-pool.ts';
import type { HostWorld } from '../../../../actors/host/world.ts';
import { type HostId, hostIdFrom } from '../../../../core/ids.ts';
import { LIMITS } from '../../../../core/limits.ts';
import { SimClock } from '../../../../sim/clock.ts';

const MIB = 1024 * 1024;
const PARENT = { hostId: hostIdFrom(new Uint8Array(16).fill(2)) as HostId, ip: '10.0.0.2', port: 7400 };

/** A download of pieces of 1 MiB of which none came yet, watched. */
function scene(running = 1, busyShare = 0) {
  const clock = new SimClock();
  const busyMs = () => clock.now() * busyShare;
  const share = new PeerShare(() => ({ busyMs: busyMs(), cpuMs: busyMs() }));
  const { received } = share;
  const stats = new PeerStats(clock, share);
  const pool = new SlotPool(1);
  const have = { count: 0 };
  const book = { runningCount: running };
  const report = vi.fn<(news: PeerNews) => void>();
  const progress = new PeerProgress({
    world: { clock, starvedAfterMs: LIMITS.starvedAfterMs } as unknown as HostWorld,
    content: { stored: { have }, pieceLength: MIB } as unknown as PeerContent,
    book: book as LeaseBook,
    pool,
    stats,
    received,
    chart: { state: 'transferring', ended: false, contradicted: false, report },
  });
  progress.start();
  /** Lets time pass in which bytes come at that rate. */
  const flow = async (bytesPerSec: number, forMs: number) => {
    for (let ms = 0; ms < forMs; ms += 50) {
      stats.bytesCame(bytesPerSec / 20);
      await clock.run(clock.now() + 50);
    }
  };
  return { clock, received, stats, pool, have, book, report, progress, flow };
}

test('nothing for five seconds is told; a piece begins the count anew', async () => {
  const { clock, have, report } = scene();
  await clock.run(4_900);
  have.count = 1;
  await clock.run(9_900);
  expect(report).not.toHaveBeenCalled();
  await clock.run(10_300);
  expect(report).toHaveBeenCalledWith({ type: 'progress.missed' });
});

test('a host that has no time left itself waits three times as long, and no longer', async () => {
  const { clock, report } = scene(1, 1);
  await clock.run(14_700);
  expect(report).not.toHaveBeenCalled();
  await clock.run(15_300);
  expect(report).toHaveBeenCalledWith({ type: 'progress.missed' });
});

test('a host that has time left does not', async () => {
  const { clock, report } = scene(1, 0.5);
  await clock.run(5_300);
  expect(report).toHaveBeenCalled();
});

test('bytes below the floor rate are nothing', async () => {
  const { flow, report } = scene();
  await flow(LIMITS.floorBytesPerSec / 2, 5_500);
  expect(report).toHaveBeenCalled();
});

test('bytes above it are progress for three times what a piece takes at that rate, and no longer', async () => {
  const { flow, report } = scene();
  // A piece takes eight seconds.
  await flow(MIB / 8, 23_500);
  expect(report).not.toHaveBeenCalled();
  await flow(MIB / 8, 1_000);
  expect(report).toHaveBeenCalled();
});

test('the more pieces share the rate, the longer each may take', async () => {
  const { flow, report } = scene(4);
  await flow(MIB / 8, 90_000);
  expect(report).not.toHaveBeenCalled();
});

test('who waits for a slot of the own host, whose other tasks go on, is not starved', async () => {
  const { clock, pool, book, received, report } = scene(0);
  pool.take(() => {});
  for (let ms = 0; ms < 20_000; ms += 200) {
    received.cameBytes += 1_000;
    await clock.run(clock.now() + 200);
  }
  expect(report).not.toHaveBeenCalled();
  // One that has a slot and gets nothing is, though not so soon: its host is busy.
  book.runningCount = 1;
  const goOn = async (forMs: number) => {
    for (let ms = 0; ms < forMs; ms += 200) {
      received.cameBytes += 1_000;
      await clock.run(clock.now() + 200);
    }
  };
  await goOn(14_000);
  expect(report).not.toHaveBeenCalled();
  await goOn(2_000);
  expect(report).toHaveBeenCalled();
});

test('who is named hosts that cannot be got at is starved however busy its own host is', async () => {
  const { clock, received, progress, report } = scene();
  progress.failed({ first: 0, count: 1, from: PARENT, hedge: false }, 'unreachable');
  for (let ms = 0; ms < 6_000; ms += 200) {
    received.cameBytes += 1_000;
    await clock.run(clock.now() + 200);
  }
  expect(report).toHaveBeenCalled();
});

test('who waits for a slot of a host whose other tasks stand still is', async () => {
  const { clock, pool, report } = scene(0);
  pool.take(() => {});
  await clock.run(6_000);
  expect(report).toHaveBeenCalled();
});

test('hosts that could not be got at are the cause, until another host gives a piece', async () => {
  const { clock, have, stats, progress } = scene();
  const run = { first: 0, count: 1, from: PARENT, hedge: false };
  progress.failed(run, 'unreachable');
  progress.failed({ ...run, from: 'origin' }, 'stalled');
  await clock.run(6_000);
  expect(progress).toMatchObject({ cause: 'unreachable', failing: [PARENT.hostId] });
  have.count = 1;
  await clock.run(7_000);
  expect(progress.isCutOff).toBe(true);
  have.count = 2;
  stats.pieceCame(1, PARENT, false);
  await clock.run(8_000);
  progress.failed(run, 'busy');
  await clock.run(14_000);
  expect(progress).toMatchObject({ cause: 'starved', failing: [] });
});
