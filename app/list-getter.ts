import { mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { DownloadProgress } from '../core/download.ts';
import { ShoalError, toShoalError } from '../core/errors.ts';
import { digestOfTask, isTaskId } from '../core/ids.ts';
import type { ListEntry } from './get-list.ts';
import { type GetEnd, type GetJob, runGet } from './getter.ts';
import { hasDigest } from './has-content.ts';
import { openOutput } from './output.ts';

/** What became of one line of a list. */
export interface ListedEnd {
  readonly entry: ListEntry;
  /** `kept`: it was there and nothing was asked; `unchanged`: it has these bytes. */
  readonly outcome: 'got' | 'kept' | 'unchanged' | 'failed';
  readonly end?: GetEnd;
  readonly error?: ShoalError;
}

/** How far a list is. */
export interface ListProgress {
  readonly files: number;
  readonly done: number;
  readonly failed: number;
  readonly doneBytes: number;
}

/** What a list of gets needs. */
export interface ListJob {
  readonly entries: readonly ListEntry[];
  /** The folder that the paths are below. */
  readonly folder: string;
  readonly atOnce: number;
  readonly ifChanged: boolean;
  readonly noClobber: boolean;
  /** The job of one entry, but for where it goes. */
  readonly jobOf: (entry: ListEntry) => Omit<GetJob, 'target' | 'onProgress' | 'ifChanged'>;
  readonly onProgress: (progress: ListProgress) => void;
  /** Called as each comes to its end. */
  readonly onEnd: (ended: ListedEnd) => void;
}

/** Gets every line of a list, several at once; one that fails ends none of the others. @throws the signal's reason */
export async function runList(job: ListJob, signal: AbortSignal): Promise<ListedEnd[]> {
  const { entries, atOnce, onProgress, onEnd } = job;
  const ends: ListedEnd[] = [];
  const bytes = new Map<ListEntry, number>();
  let next = 0;
  const tell = () => {
    const failed = ends.filter(({ outcome }) => outcome === 'failed').length;
    const doneBytes = [...bytes.values()].reduce((sum, each) => sum + each, 0);
    onProgress({ files: entries.length, done: ends.length, failed, doneBytes });
  };
  const worker = async (): Promise<void> => {
    for (let entry = entries[next++]; entry !== undefined; entry = entries[next++]) {
      const mine = entry;
      signal.throwIfAborted();
      const ended = await one(job, mine, (done) => void bytes.set(mine, done), signal);
      if (ended.end !== undefined) bytes.set(mine, ended.end.result.length);
      ends.push(ended);
      onEnd(ended);
      tell();
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, entries.length) }, worker));
  signal.throwIfAborted();
  return ends;
}

async function one(
  job: ListJob,
  entry: ListEntry,
  onBytes: (done: number) => void,
  signal: AbortSignal,
): Promise<ListedEnd> {
  const path = join(job.folder, entry.path);
  let discard = (): void => undefined;
  try {
    const isThere = statSync(path, { throwIfNoEntry: false }) !== undefined;
    if (isThere && job.noClobber) return { entry, outcome: 'kept' };
    if (isThere && job.ifChanged && (await isOf(path, entry))) return { entry, outcome: 'unchanged' };
    makeFolder(dirname(path));
    const file = openOutput(path);
    discard = () => file.discard();
    const onProgress = ({ doneBytes }: DownloadProgress): void => onBytes(doneBytes);
    const ifChanged = isThere && job.ifChanged;
    const end = await runGet(
      { ...job.jobOf(entry), target: { kind: 'file', file }, ifChanged, onProgress },
      signal,
    );
    return { entry, outcome: end.unchanged ? 'unchanged' : 'got', end };
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    return { entry, outcome: 'failed', error: toShoalError(error) };
  } finally {
    discard();
  }
}

/** Whether the file is what the line names, which nobody needs to be asked for. */
async function isOf(path: string, { resource, digest }: ListEntry): Promise<boolean> {
  const task = resource.replace(':', '-');
  const wanted = digest ?? (isTaskId(task) ? digestOfTask(task) : undefined);
  return wanted !== undefined && (await hasDigest(path, wanted));
}

/** @throws ERR_OUTPUT */
function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (cause) {
    throw new ShoalError('ERR_OUTPUT', `the folder ${path} cannot be made`, { cause });
  }
}
