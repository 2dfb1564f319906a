import type { Clock } from '../core/clock.ts';
import { pieceOffset } from '../core/piece.ts';
import { createMemoryStore } from '../storage/memory-store.ts';
import type { Store, StoredTask } from '../storage/store.ts';

/** What a kill -9 leaves of a store: the pieces that were recorded, and nothing that was in flight. */
export async function copyStore(store: Store, clock: Pick<Clock, 'wall'>): Promise<Store> {
  const copy = createMemoryStore({ clock });
  for (const { taskId } of [...store.rows()]) {
    const stored = await store.open(taskId);
    if (stored !== undefined) await copyTask(stored, await copy.create(stored.record));
  }
  return copy;
}

async function copyTask(from: StoredTask, to: StoredTask): Promise<void> {
  const { length, pieceLength } = from.record;
  for (const piece of from.have.ones()) {
    const start = pieceOffset(from.record, piece);
    const bytes = new Uint8Array(Math.min(pieceLength, (length ?? start + pieceLength) - start));
    await from.read(bytes, start);
    const writer = to.writer(piece, 1, (index, hash, size) => to.commit(index, hash, size));
    await writer.write(bytes);
    await writer.end();
  }
  if (from.complete) await to.seal();
}
