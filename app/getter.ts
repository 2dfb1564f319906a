import { createHash, type Hash } from 'node:crypto';
import type { DownloadProgress, DownloadResult, GetRequest } from '../core/download.ts';
import { ShoalError } from '../core/errors.ts';
import type { Door } from './door.ts';
import { hasPieces } from './has-content.ts';
import type { OutputFile } from './output.ts';

/** Where the content of a `get` goes. */
export type GetTarget =
  | { readonly kind: 'file'; readonly file: OutputFile }
  | { readonly kind: 'stream'; readonly write: (chunk: Uint8Array) => Promise<void> }
  | { readonly kind: 'cache' };

/** One `get` of the command line. */
export interface GetJob {
  readonly request: GetRequest;
  readonly target: GetTarget;
  /** Leave the file alone where it has these bytes already. */
  readonly ifChanged?: boolean;
  /** The first way to the content. */
  readonly open: () => Promise<Door>;
  /** Another way, once the daemon is gone; it had told where NATS is. */
  readonly reopen: (natsUrl: string | undefined) => Promise<Door>;
  readonly onProgress: (progress: DownloadProgress) => void;
  /** Says something to the person who asked. */
  readonly note: (text: string) => void;
}

/** How a `get` ended. */
export interface GetEnd {
  readonly result: DownloadResult;
  readonly via: Door['kind'];
  /** The file was left alone: it has these bytes. */
  readonly unchanged: boolean;
}

/** What has been given out already, which a second try must repeat to the byte. */
interface Given {
  bytes: number;
  readonly hash: Hash;
}

/** Gets a resource to its target, by another way where the daemon dies under it. @throws any ShoalError */
export async function runGet(job: GetJob, signal: AbortSignal): Promise<GetEnd> {
  const given: Given = { bytes: 0, hash: createHash('sha256') };
  let door = await job.open();
  try {
    for (;;) {
      try {
        return { ...(await deliver(door, job, given, signal)), via: door.kind };
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        if (door.kind !== 'daemon' || !isDaemonGone(error)) throw error;
        job.note('the daemon went away in the middle; waiting for it to come back');
        const gone = door;
        door = await job.reopen(gone.natsUrl);
      }
    }
  } finally {
    await door[Symbol.asyncDispose]();
  }
}

/** A daemon that stops in good order cancels what it does for others. */
function isDaemonGone(error: unknown): boolean {
  if (!(error instanceof ShoalError)) return false;
  return error.code === 'ERR_DAEMON_UNAVAILABLE' || error.code === 'ERR_CANCELLED';
}

async function deliver(
  door: Door,
  job: GetJob,
  given: Given,
  signal: AbortSignal,
): Promise<Omit<GetEnd, 'via'>> {
  const { target, request } = job;
  if (target.kind === 'stream') {
    return { result: await deliverInOrder(door, job, target.write, given, signal), unchanged: false };
  }
  if (target.kind === 'file' && request.range !== undefined) {
    const content = contentOf(door, job, signal);
    const length = await target.file.writeFrom(content, signal);
    return { result: { ...content.result(), length }, unchanged: false };
  }
  const follow = target.kind === 'file' && !door.cacheIsOurs && job.ifChanged !== true;
  const onProgress = (progress: DownloadProgress): void => {
    if (follow && progress.cached) target.file.follow(progress.cached);
    job.onProgress(progress);
  };
  const result = await door.get(request, onProgress, signal);
  if (target.kind === 'cache') return { result, unchanged: false };
  if (job.ifChanged === true && (await hasPieces(target.file.path, result))) {
    return { result, unchanged: true };
  }
  if (!(await takeFile(door, target.file, result, signal))) {
    await target.file.writeFrom(contentOf(door, job, signal), signal);
  }
  return { result, unchanged: false };
}

/** False where the cached file is not ours to read, or not what it must be: the daemon mends it as it streams it. */
async function takeFile(
  door: Door,
  file: OutputFile,
  { path, length, revision, pieces }: DownloadResult,
  signal: AbortSignal,
): Promise<boolean> {
  if (path === undefined) return false;
  if (door.cacheIsOurs && (await file.moveFrom(path))) return true;
  try {
    if (pieces === undefined) return false;
    await file.copyFrom({ path, length, revision, pieces }, signal);
    return true;
  } catch (error) {
    if (error instanceof ShoalError && 'source' in error.details) return false;
    throw error;
  }
}

/** A second try goes on behind what was written, once its own beginning proved to be the same. */
async function deliverInOrder(
  door: Door,
  job: GetJob,
  write: (chunk: Uint8Array) => Promise<void>,
  given: Given,
  signal: AbortSignal,
): Promise<DownloadResult> {
  const content = contentOf(door, job, signal);
  const again = given.bytes;
  const repeated = createHash('sha256');
  const proven = given.hash.copy().digest();
  let at = 0;
  for await (const chunk of content) {
    const fresh = chunk.subarray(Math.min(chunk.length, Math.max(0, again - at)));
    if (at < again) {
      repeated.update(chunk.subarray(0, chunk.length - fresh.length));
      if (at + chunk.length >= again && !repeated.digest().equals(proven)) throw changed();
    }
    at += chunk.length;
    if (fresh.length === 0) continue;
    await write(fresh);
    given.hash.update(fresh);
    given.bytes += fresh.length;
  }
  if (at < again) throw changed();
  return { ...content.result(), length: at };
}

function changed(): ShoalError {
  return new ShoalError('ERR_TASK_CHANGED', 'the content changed after a part of it was written');
}

interface Content extends AsyncIterable<Uint8Array> {
  /** What was told last of what came. @throws ERR_INTERNAL where nothing was */
  result(): DownloadResult;
}

function contentOf(door: Door, job: GetJob, signal: AbortSignal): Content {
  let result: DownloadResult | undefined;
  async function* content(): AsyncIterable<Uint8Array> {
    const take = (told: DownloadResult): void => {
      result = told;
    };
    let doneBytes = 0;
    for await (const chunk of door.stream(job.request, take, signal)) {
      doneBytes += chunk.length;
      yield chunk;
      if (job.target.kind === 'stream') job.onProgress(progressOf(doneBytes, result));
    }
  }
  return {
    [Symbol.asyncIterator]: () => content()[Symbol.asyncIterator](),
    result() {
      if (result !== undefined) return result;
      throw new ShoalError('ERR_INTERNAL', 'the content came without a word on what it is');
    },
  };
}

function progressOf(doneBytes: number, result: DownloadResult | undefined): DownloadProgress {
  return {
    ...(result !== undefined && { taskId: result.taskId, length: result.length }),
    doneBytes,
    bytes: result?.bytes ?? { origin: 0, peers: 0, local: 0 },
    parents: result?.parents ?? 0,
    state: 'transferring',
  };
}
