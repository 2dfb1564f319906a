import { randomBytes } from 'node:crypto';
import { accessSync, constants, lstatSync, readlinkSync, realpathSync, rmSync, statSync } from 'node:fs';
import { chmod, chown, open, rename, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { ShoalError } from '../core/errors.ts';
import { type Cached, CheckedCopy, type Filling } from './checked-copy.ts';

/**
 * The file a download goes to: it appears whole, or not at all; what was there before is replaced at that moment, by one
 * that the same people may read.
 */
export interface OutputFile {
  readonly path: string;
  /**
   * Puts a proven copy of a cached file there, sharing its blocks where the file system can. Never a link: no later
   * write to the output may reach the cache.
   * @throws ERR_OUTPUT, ERR_STORE_FULL; with `details.source` where the file cannot be read, or is not what it must be
   */
  copyFrom(cached: Cached, signal: AbortSignal): Promise<void>;
  /** Begins to copy a file that is still filling, for `copyFrom` of the same revision to finish. */
  follow(filling: Filling): void;
  /** Moves a file there that nobody else uses. False where it lies on another file system. @throws as `copyFrom` */
  moveFrom(source: string): Promise<boolean>;
  /** Writes chunks there. @throws as `copyFrom`, and whatever `chunks` throws */
  writeFrom(chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<number>;
  /** Removes what is unfinished; synchronous, so that it can be the last thing a process does. */
  discard(): void;
}

/** Looks whether a file can be put at a path, before anything is downloaded. @throws ERR_OUTPUT */
export function openOutput(path: string): OutputFile {
  const { target, special } = checked(path);
  const random = randomBytes(4).toString('hex');
  const temporary = special ? target : join(dirname(target), `.${basename(target).slice(0, 200)}.${random}`);

  const copy = new CheckedCopy(temporary);

  async function finish(): Promise<void> {
    if (special) return;
    await giveRights(temporary, target);
    await rename(temporary, target);
  }
  return {
    path: target,
    follow(filling) {
      if (!special) copy.follow(filling);
    },
    async copyFrom(cached, signal) {
      if (special) throw sourceError(`${target} is no plain file: it is written to`);
      await readable(cached.path);
      try {
        await copy.finish(cached, signal);
        await finish();
      } catch (error) {
        rmSync(temporary, { force: true });
        if (error instanceof ShoalError && error.code === 'ERR_STORE_CORRUPT')
          throw sourceError(error.message, error);
        throw outputError(error, target);
      }
    },
    async moveFrom(source) {
      if (special) return false;
      try {
        await rename(source, temporary);
        await finish();
        return true;
      } catch (error) {
        if (errnoOf(error) === 'EXDEV') return false;
        throw outputError(error, target);
      }
    },
    async writeFrom(chunks, signal) {
      try {
        copy.close();
        if (!special) rmSync(temporary, { force: true });
        const bytes = await writeChunks(temporary, special ? 'w' : 'wx', chunks, signal);
        await finish();
        return bytes;
      } catch (error) {
        if (!special) rmSync(temporary, { force: true });
        throw outputError(error, target);
      }
    },
    discard() {
      copy.stop();
      if (!special) rmSync(temporary, { force: true });
    },
  };
}

/** The rights and the owner of what a file is to replace, or those of any new file. */
async function giveRights(path: string, replaced: string): Promise<void> {
  const before = statSync(replaced, { throwIfNoEntry: false });
  if (before === undefined) return chmod(path, 0o666 & ~process.umask());
  const { uid, gid, mode } = before;
  const ours = await stat(path);
  const isKept =
    (uid === ours.uid && gid === ours.gid) ||
    (await chown(path, uid, gid).then(
      () => true,
      () => false,
    ));
  // Another group than before may do no more than everybody.
  const group = isKept ? mode & 0o070 : (mode & 0o007) << 3;
  await chmod(path, (mode & 0o707) | group);
}

async function writeChunks(
  path: string,
  flags: string,
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<number> {
  // Who may read the file in whose place it comes is known at the end.
  const file = await open(path, flags, 0o600);
  let bytes = 0;
  try {
    for await (const chunk of chunks) {
      signal.throwIfAborted();
      await file.writeFile(chunk);
      bytes += chunk.length;
    }
    signal.throwIfAborted();
    return bytes;
  } finally {
    await file.close();
  }
}

function checked(path: string): { target: string; special: boolean } {
  try {
    return checkTarget(path);
  } catch (error) {
    throw outputError(error, path);
  }
}

/** What a path leads to; `special`: a device or a pipe, which is written to and never replaced. */
function checkTarget(path: string): { target: string; special: boolean } {
  const asked = resolve(path);
  const there = statSync(asked, { throwIfNoEntry: false });
  if (there?.isDirectory()) throw new ShoalError('ERR_OUTPUT', `${asked} is a directory`);
  if (there !== undefined && !there.isFile()) return { target: asked, special: true };
  const target = behindLinks(asked);
  const dir = dirname(target);
  const parent = statSync(dir, { throwIfNoEntry: false });
  if (parent === undefined) throw new ShoalError('ERR_OUTPUT', `there is no directory ${dir}`);
  if (!parent.isDirectory()) throw new ShoalError('ERR_OUTPUT', `${dir} is no directory`);
  try {
    accessSync(dir, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new ShoalError('ERR_OUTPUT', `no file can be made in ${dir}`, { cause });
  }
  return { target, special: false };
}

/** Where a path leads, also where the last of its links leads to nothing yet. */
function behindLinks(path: string): string {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return path;
  if (!found.isSymbolicLink()) return realpathSync(path);
  return behindLinks(resolve(realpathSync(dirname(path)), readlinkSync(path)));
}

/** @throws ERR_OUTPUT with `details.source`: the content has to come another way */
async function readable(source: string): Promise<void> {
  try {
    await (await open(source, 'r')).close();
  } catch (cause) {
    throw sourceError(`${source} cannot be read`, cause);
  }
}

function sourceError(message: string, cause?: unknown): ShoalError {
  return new ShoalError('ERR_OUTPUT', message, { cause, details: { source: true } });
}

function outputError(error: unknown, target: string): unknown {
  const code = errnoOf(error);
  if (code === undefined || error instanceof ShoalError) return error;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new ShoalError('ERR_STORE_FULL', `no space left for ${target}`, { cause: error });
  }
  return new ShoalError('ERR_OUTPUT', `cannot write ${target}: ${code}`, { cause: error });
}

function errnoOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}
