import { createHash } from 'node:crypto';
import type { ComposedHost } from '../actors/client/compose-host.ts';
import { type Scrubbed, scrub } from '../actors/host/scrub.ts';
import type { HostWorld } from '../actors/host/world.ts';
import type { CacheControl, CacheRow, ScrubRow } from '../admin/cache-control.ts';
import { ShoalError } from '../core/errors.ts';
import { isTaskId, type TaskId } from '../core/ids.ts';
import type { FilePrint } from '../core/imports.ts';
import { pieceCount } from '../core/piece.ts';
import type { Store } from '../storage/store.ts';

/** What the command line can ask about what this host holds itself. */
export function cacheControl(world: HostWorld, { imports, actor, peers }: ComposedHost): CacheControl {
  const { store } = world;
  const isUsed = (row: CacheRow) => isTaskId(row.taskId) && isAtWork(peers, row.taskId);
  const drop = async (rows: readonly CacheRow[]): Promise<CacheRow[]> => {
    for (const { taskId } of rows) if (isTaskId(taskId)) await actor.giveUp(taskId);
    return [...rows];
  };
  return {
    importFile: (request, content) => imports.take(request, content),
    cacheRows: async () => cacheRows(store),
    dropTasks: async (taskIds) => {
      const rows = cacheRows(store).filter(({ taskId }) => taskIds.includes(taskId));
      const kept = rows.find((row) => row.kept);
      if (kept !== undefined) throw new ShoalError('ERR_TASK_PINNED', `${kept.taskId} is kept by a pin`);
      return drop(rows);
    },
    prune: ({ toBytes = Number.POSITIVE_INFINITY, olderMs = Number.POSITIVE_INFINITY }) => {
      let bytes = store.usage.bytes;
      const mayGo = cacheRows(store).filter((row) => !row.kept && !isUsed(row));
      return drop(
        mayGo.filter(({ lastUsedMs, storedBytes }) => {
          if (bytes <= toBytes && world.clock.wall() - lastUsedMs <= olderMs) return false;
          bytes -= storedBytes;
          return true;
        }),
      );
    },
    scrub: ({ bytesPerSec }, signal) => ended(scrub({ world, peers }, bytesPerSec, signal)),
    tasksLike: (print) => tasksLike(store, print),
  };
}

/** Whether a download is under way; what is served is in nobody's way. */
function isAtWork(peers: ComposedHost['peers'], taskId: TaskId): boolean {
  const state = peers.get(taskId)?.state;
  return state !== undefined && !['serving', 'failed', 'left'].includes(state);
}

async function* ended(found: AsyncIterable<Scrubbed>): AsyncGenerator<ScrubRow> {
  for await (const { damaged, ...row } of found) yield { ...row, damaged: [...damaged] };
}

function cacheRows(store: Store): CacheRow[] {
  const rows = [...store.rows()].map(({ pieceLength: _, ...row }) => ({
    ...row,
    kept: store.isKept(row.taskId),
  }));
  return rows.sort((a, b) => a.lastUsedMs - b.lastUsedMs);
}

async function tasksLike(store: Store, { length, cuts }: FilePrint): Promise<string[]> {
  const like: string[] = [];
  for (const row of [...store.rows()]) {
    const cut = cuts.find(({ pieceLength }) => pieceLength === row.pieceLength);
    if (!row.complete || row.length !== length || cut === undefined) continue;
    const stored = await store.look(row.taskId);
    if (stored?.complete !== true) continue;
    const print = createHash('sha256');
    for (let piece = 0; piece < pieceCount({ length, ...cut }); piece += 1) {
      print.update(stored.hash(piece) ?? '');
    }
    if (print.digest('hex') === cut.print) like.push(row.taskId);
  }
  return like;
}
