import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import type { TaskId } from '../../core/ids.ts';
import { silentLogger } from '../../core/logger.ts';
import { openStore } from '../../storage/open-store.ts';

/*
 * Run as a process of its own, to be killed: fills one task after another, drops pieces and writes them again, and
 * says on standard output what it has committed.
 */
const [dir = '', seedText = '0'] = process.argv.slice(2);
const PIECE = 64 * 1024;
const PIECES = 64;
const store = await openStore({
  dir,
  quotaBytes: 1e10,
  clock: { wall: () => Date.now() },
  logger: silentLogger,
});
for (let round = 0; ; round += 1) {
  const taskId = `url-${seedText.padStart(8, '0')}${round.toString(16).padStart(56, '0')}` as TaskId;
  const length = PIECE * PIECES;
  const task = await store.create({ taskId, length, pieceLength: PIECE, audience: 'public', sources: [] });
  const content = randomBytes(length);
  writeFileSync(`${dir}/expected-${taskId}`, content);
  const writer = task.writer(0, PIECES, (piece, hash, bytes) => {
    task.commit(piece, hash, bytes);
    process.stdout.write(`${taskId} ${piece}\n`);
  });
  for (let at = 0; at < length; at += 50_000) void writer.write(content.subarray(at, at + 50_000));
  await task.seal();
  process.stdout.write(`${taskId} sealed\n`);
  await task.drop([3]);
  // In the place of a piece that was taken back anything may be.
  void task.writer(3, 1, () => {}).write(randomBytes(PIECE / 2));
}
