import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseGetList } from '../app/get-list.ts';
import { type ListedEnd, runList } from '../app/list-getter.ts';
import { SharedDoor } from '../app/shared-door.ts';
import { type ErrorCode, ShoalError } from '../core/errors.ts';
import { parseCount } from './count.ts';
import { type GetFlags, getRequestOf } from './get-request.ts';
import { openGetStop, withinGrace } from './get-stop.ts';
import { getWays } from './get-ways.ts';
import { print } from './print.ts';
import { configInput } from './settings-flags.ts';
import { listSummaryText, openListProgress } from './views/list-progress.ts';

const AT_ONCE = 32;
const STDIN = 0;

/** Runs `get --list`. @throws what each failed with, where it was the same for all; else ERR_LIST_FAILED */
export async function runGetList(list: string, flags: GetFlags & Record<string, unknown>): Promise<void> {
  if (flags.digest !== undefined || flags.range !== undefined || flags.output === '-') {
    throw new ShoalError(
      'ERR_CONFIG_INVALID',
      '--list goes with neither --digest nor --range, and -o is a folder',
    );
  }
  const entries = parseGetList(textOf(list), flags.base);
  const folder = resolve(flags.output ?? '.');
  const atOnce = Math.max(1, flags.atOnce === undefined ? AT_ONCE : parseCount('--at-once', flags.atOnce));
  const isSilent = flags.quiet === true || flags.json === true;
  const view = openListProgress(process.stderr, isSilent);
  const startedMs = performance.now();
  const stop = openGetStop(flags.timeout, () => undefined);
  const requests = new Map(
    entries.map((entry) => [
      entry,
      { ...getRequestOf(entry.resource, flags), ...(entry.digest && { digest: entry.digest }) },
    ]),
  );
  const target = { kind: 'file', file: { path: join(folder, 'list') } } as const;
  const { signal } = stop;
  const note = isSilent ? () => undefined : view.note;
  const door = new SharedDoor(getWays(configInput(flags), [...requests.values()], target, note, signal));
  try {
    const job = {
      entries,
      folder,
      atOnce,
      ifChanged: flags.ifChanged === true,
      noClobber: flags.clobber === false,
      jobOf: (entry: (typeof entries)[number]) => ({
        request: requests.get(entry) ?? getRequestOf(entry.resource, flags),
        ...door.ways(),
        note,
      }),
      onProgress: view.update,
      onEnd: (ended: ListedEnd) => view.ended(ended),
    };
    const ends = await withinGrace(runList(job, signal), signal);
    view.stop();
    if (flags.json) await print(`${JSON.stringify(ends.map(jsonOf), null, 2)}\n`);
    else if (!flags.quiet) process.stderr.write(listSummaryText(ends, performance.now() - startedMs));
    failWhere(ends);
  } finally {
    stop.end();
    view.stop();
    await door[Symbol.asyncDispose]();
  }
}

/** @throws ERR_CONFIG_INVALID */
function textOf(list: string): string {
  try {
    return readFileSync(list === '-' ? STDIN : list, 'utf8');
  } catch (cause) {
    throw new ShoalError('ERR_CONFIG_INVALID', `--list: ${list} cannot be read`, { cause });
  }
}

function jsonOf({ entry, outcome, end, error }: ListedEnd) {
  const { path, resource } = entry;
  if (error !== undefined)
    return { path, resource, outcome, error: { code: error.code, message: error.message } };
  if (end === undefined) return { path, resource, outcome };
  const { taskId, length, digest, bytes, durationMs } = end.result;
  return { path, resource, outcome, via: end.via, taskId, length, digest, bytes, durationMs };
}

function failWhere(ends: readonly ListedEnd[]): void {
  const errors = ends.flatMap(({ error }) => error ?? []);
  const [first] = errors;
  if (first === undefined) return;
  const code: ErrorCode = errors.every((error) => error.code === first.code) ? first.code : 'ERR_LIST_FAILED';
  const message = `${errors.length} of ${ends.length} files failed, the first with: ${first.message}`;
  throw new ShoalError(code, message, { cause: first });
}
