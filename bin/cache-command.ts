import type { CacheRow, ScrubRow } from '../admin/cache-control.ts';
import { connectDaemon, type DaemonClient } from '../admin/client.ts';
import { loadSchedulerConfig } from '../app/config.ts';
import { ShoalError } from '../core/errors.ts';
import { formatBytes, parseBytes, parseDuration, parseRate } from '../core/units.ts';
import { print } from './print.ts';
import { configInput } from './settings-flags.ts';
import { stopAsked } from './stop.ts';
import { taskIdOf } from './task-id.ts';
import { cacheText } from './views/cache.ts';

/** The flags of `cache …`, as commander gives them. */
export interface CacheFlags extends Readonly<Record<string, unknown>> {
  readonly to?: string;
  readonly older?: string;
  readonly limitRate?: string;
  readonly json?: boolean;
}

/** Runs `cache ls`. */
export async function runCacheLs(flags: CacheFlags): Promise<void> {
  const rows = await (await daemonOf(flags)).cacheRows();
  await print(flags.json ? `${JSON.stringify(rows, null, 2)}\n` : cacheText(rows, Date.now()));
}

/** Runs `cache rm`. @throws ERR_TASK_NOT_FOUND where one of them is not here, ERR_TASK_PINNED */
export async function runCacheRm(tasks: readonly string[], flags: CacheFlags): Promise<void> {
  const taskIds = tasks.map(taskIdOf);
  const removed = await (await daemonOf(flags)).dropTasks(taskIds);
  await tell(removed, flags);
  const lacking = taskIds.filter((id) => !removed.some(({ taskId }) => taskId === id));
  if (lacking.length > 0)
    throw new ShoalError('ERR_TASK_NOT_FOUND', `not in this cache: ${lacking.join(', ')}`);
}

/** Runs `cache prune`. @throws ERR_CONFIG_INVALID */
export async function runCachePrune(flags: CacheFlags): Promise<void> {
  const { to, older } = flags;
  if (to === undefined && older === undefined) {
    throw new ShoalError('ERR_CONFIG_INVALID', 'say what may go: --to SIZE, --older D, or both');
  }
  const limits = {
    ...(to !== undefined && { toBytes: parseBytes(to) }),
    ...(older !== undefined && { olderMs: parseDuration(older) }),
  };
  await tell(await (await daemonOf(flags)).prune(limits), flags);
}

async function tell(removed: readonly CacheRow[], flags: CacheFlags): Promise<void> {
  const bytes = removed.reduce((sum, { storedBytes }) => sum + storedBytes, 0);
  const text = `removed ${removed.length === 1 ? '1 task' : `${removed.length} tasks`}, ${formatBytes(bytes)}\n`;
  await print(flags.json ? `${JSON.stringify(removed, null, 2)}\n` : text);
}

/** Runs `cache scrub`. @throws ERR_STORE_CORRUPT where something was taken back */
export async function runCacheScrub(flags: CacheFlags): Promise<void> {
  const bytesPerSec = flags.limitRate === undefined ? Number.MAX_SAFE_INTEGER : parseRate(flags.limitRate);
  const stopping = new AbortController();
  void stopAsked().then(() => stopping.abort(new ShoalError('ERR_CANCELLED', 'interrupted')));
  const rows: ScrubRow[] = [];
  for await (const row of (await daemonOf(flags)).scrub({ bytesPerSec }, stopping.signal)) {
    rows.push(row);
    if (flags.json || row.damaged.length === 0) continue;
    await print(
      `${row.taskId}: ${row.damaged.length === 1 ? '1 piece was' : `${row.damaged.length} pieces were`} damaged, and taken back\n`,
    );
  }
  const bytes = rows.reduce((sum, row) => sum + row.bytes, 0);
  const damaged = rows.filter((row) => row.damaged.length > 0).length;
  const text = `read ${rows.length} tasks, about ${formatBytes(bytes)}: ${damaged === 0 ? 'all as it was recorded' : `${damaged} damaged`}\n`;
  await print(flags.json ? `${JSON.stringify(rows, null, 2)}\n` : text);
  if (damaged > 0)
    throw new ShoalError('ERR_STORE_CORRUPT', `${damaged} of ${rows.length} tasks were damaged`);
}

function daemonOf(flags: CacheFlags): Promise<DaemonClient> {
  return connectDaemon(loadSchedulerConfig(configInput({ ...flags, limitRate: undefined })).dir);
}
