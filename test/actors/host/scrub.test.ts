import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { keepScrubbing } from '../../../actors/host/scrub.ts';
import type { Clock } from '../../../core/clock.ts';
import { hostIdFrom, parseDigest, taskIdOfDigest } from '../../../core/ids.ts';
import { silentLogger } from '../../../core/logger.ts';
import { SimRandom } from '../../../sim/random.ts';
import { openStore } from '../../../storage/open-store.ts';
import { createMemoryHub } from '../../../transport/memory-bus.ts';
import { tempDir } from '../../support/temp-dir.ts';

const PIECE = 128 * 1024;
const DAY_MS = 24 * 3_600_000;

/** Time that passes as soon as somebody waits for it. */
class EagerClock implements Clock {
  ms = 0;
  now(): number {
    return this.ms;
  }
  wall(): number {
    return this.ms;
  }
  after(delayMs: number, run: () => void): () => void {
    const due = setImmediate(() => {
      this.ms += delayMs;
      run();
    });
    return () => clearImmediate(due);
  }
}

test('what the disk damages is found within a day, at no more than the rate, and taken back', async () => {
  await using dir = await tempDir();
  const clock = new EagerClock();
  const store = await openStore({ dir: dir.path, quotaBytes: 1e9, clock, logger: silentLogger });
  const content = randomBytes(3 * PIECE);
  const digest = parseDigest(`sha256:${createHash('sha256').update(content).digest('hex')}`);
  const taskId = taskIdOfDigest(digest);
  const record = {
    taskId,
    length: content.length,
    pieceLength: PIECE,
    audience: 'public',
    sources: [],
  } as const;
  const stored = await store.create(record);
  const writer = stored.writer(0, 3, (piece, hash, bytes) => stored.commit(piece, hash, bytes));
  await writer.write(content);
  await stored.seal();
  const bus = createMemoryHub({ clock, random: new SimRandom(1) }).bus('host');
  const rounds: number[] = [];
  const foundMs: number[] = [];
  const log = {
    ...silentLogger,
    info: (facts: object) => rounds.push('durationMs' in facts ? Number(facts.durationMs) : -1),
    warn: () => foundMs.push(clock.ms),
  };
  const hostId = hostIdFrom(new Uint8Array(16));
  const world = { store, clock, log, bus, hostId, incarnation: 1, alone: true };
  const ended = new AbortController();
  const running = keepScrubbing({ world, peers: { get: () => undefined } }, PIECE, ended.signal);
  await expect.poll(() => rounds.length).toBeGreaterThan(0);
  expect(rounds[0]).toBeGreaterThanOrEqual(3_000);
  expect(stored.have.count).toBe(3);
  const damagedMs = clock.ms;
  writeFileSync(stored.path, Buffer.alloc(10), { flag: 'r+' });
  await expect.poll(() => stored.have.count).toBe(2);
  expect(stored.complete).toBe(false);
  expect(stored.have.has(0)).toBe(false);
  expect((foundMs[0] ?? 0) - damagedMs).toBeLessThan(2 * DAY_MS);
  ended.abort(new Error('over'));
  await running;
  await store.close();
});
