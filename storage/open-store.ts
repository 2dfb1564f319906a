import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../core/clock.ts';
import { ShoalError } from '../core/errors.ts';
import { isTaskId } from '../core/ids.ts';
import type { Logger } from '../core/logger.ts';
import { DiskDepot, peek, taskDir } from './disk-depot.ts';
import { storeError } from './fs-errors.ts';
import { openKeeps } from './keeps-on-disk.ts';
import { makeDir, replaceFile } from './private-files.ts';
import { type Found, ShelfStore } from './shelf-store.ts';
import type { Store } from './store.ts';

/** Version of the layout on disk; a newer one is refused. */
const VERSION = 1;
const OPEN_TASKS = 64;

/** Where and how much a store may keep. */
export interface StoreOptions {
  /** Directory of its own; made where it is missing. */
  readonly dir: string;
  readonly quotaBytes: number;
  readonly clock: Pick<Clock, 'wall'>;
  readonly logger: Logger;
  /** Tasks whose two files are kept open; 64 unless given. */
  readonly openTasks?: number;
  /** Names the boot of this machine; for tests. */
  readonly bootId?: string;
}

/**
 * Opens the store on disk: finds every task, deletes what was half made or half removed. One process at a time.
 * @throws ERR_CONFIG_INVALID where a newer Shoal wrote it, ERR_STORE_IO
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { dir, logger, quotaBytes, clock, openTasks = OPEN_TASKS } = options;
  const bootId = options.bootId ?? bootIdOfMachine();
  try {
    makeDir(join(dir, 'tasks'), 0o750);
    checkVersion(dir);
    rmSync(join(dir, 'removed'), { recursive: true, force: true });
    mkdirSync(join(dir, 'removed'), { mode: 0o750 });
    const found = await findTasks(join(dir, 'tasks'), logger);
    const depot = new DiskDepot(dir, bootId, logger, openTasks);
    const keeps = openKeeps(join(dir, 'keeps'), logger);
    return new ShelfStore(depot, clock, quotaBytes, bootId, found, keeps);
  } catch (error) {
    throw storeError(error, `opening the store in ${dir}`);
  }
}

function checkVersion(dir: string): void {
  const path = join(dir, 'store.json');
  let text: string | undefined;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  if (text === undefined) {
    replaceFile(path, `${JSON.stringify({ version: VERSION })}\n`, 0o644);
    return;
  }
  const version = versionIn(text);
  if (version === VERSION) return;
  throw new ShoalError(
    'ERR_CONFIG_INVALID',
    version === undefined
      ? `${path} is not the mark of a store of Shoal`
      : `the store in ${dir} has layout ${version}, of a newer Shoal; this one knows ${VERSION}`,
  );
}

function versionIn(text: string): number | undefined {
  try {
    const { version } = JSON.parse(text) as { version?: unknown };
    return typeof version === 'number' ? version : undefined;
  } catch {
    return undefined;
  }
}

async function findTasks(tasks: string, logger: Logger): Promise<Found[]> {
  const found: Found[] = [];
  for (const prefix of readdirSync(tasks)) {
    for (const name of readdirSync(join(tasks, prefix))) {
      const dir = join(tasks, prefix, name);
      const task = isTaskId(name) && taskDir(tasks, name) === dir ? peek(dir) : undefined;
      if (task?.meta.taskId === name) {
        found.push(task);
        continue;
      }
      logger.info({ dir }, 'deleting what is no whole task');
      rmSync(dir, { recursive: true, force: true });
    }
    await setImmediate();
  }
  return found;
}

/** Linux gives each boot an id; elsewhere every start counts as a boot, so that content is always proven anew. */
function bootIdOfMachine(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return randomUUID();
  }
}
