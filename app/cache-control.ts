import { createHash } from 'node:crypto';
import type { ComposedHost } from '../actors/client/compose-host.ts';
import type { CacheControl, CacheRow } from '../admin/cache-control.ts';
import type { FilePrint } from '../core/imports.ts';
import { pieceCount } from '../core/piece.ts';
import type { Store } from '../storage/store.ts';

/** What the command line can ask about what this host holds itself. */
export function cacheControl(store: Store, { imports }: ComposedHost): CacheControl {
  return {
    importFile: (request, content) => imports.take(request, content),
    cacheRows: async () => cacheRows(store),
    tasksLike: (print) => tasksLike(store, print),
  };
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
