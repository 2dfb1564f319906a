import { randomBytes } from 'node:crypto';
import { linkSync, renameSync, rmSync, statSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { ShoalError } from '../core/errors.ts';
import { makeDir } from '../storage/private-files.ts';
import { noteRefused } from './refused-daemon.ts';

/** The kernel's limit of a unix socket's path, less its final zero. */
const PATH_BYTES = 107;
const ATTEMPTS = 20;

/** The unix socket of the daemon of a directory. @throws ERR_CONFIG_INVALID where the path is too long for a socket */
export function socketPathOf(dir: string): string {
  const path = join(dir, 'shoal.sock');
  if (Buffer.byteLength(path) <= PATH_BYTES) return path;
  const most = PATH_BYTES - 'shoal.sock'.length - 1;
  throw new ShoalError(
    'ERR_CONFIG_INVALID',
    `the directory ${dir} has too long a path: a unix socket lies in it, so ${most} bytes are the most`,
  );
}

/** A socket at its place; `release` takes it away. */
export interface SocketClaim {
  readonly path: string;
  release(): void;
}

/**
 * Listens at a name of its own, then gives it the known name, which is also the lock of the directory: a name in use
 * by a live daemon is left alone, that of a dead one replaced. Mode 0660.
 * @param listen starts to listen at a path
 * @throws ERR_CONFIG_DIR_LOCKED, ERR_STORE_IO, ERR_CONFIG_INVALID
 */
export async function claimSocket(
  dir: string,
  listen: (path: string) => Promise<unknown>,
): Promise<SocketClaim> {
  const path = socketPathOf(dir);
  const own = join(dir, `s-${randomBytes(4).toString('hex')}`);
  try {
    makeDir(dir);
    await listen(own);
    await chmod(own, 0o660);
    const { ino } = statSync(own);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (linked(own, path)) return { path, release: () => release(path, ino) };
      await removeStale(dir, path);
    }
    throw locked(dir);
  } catch (cause) {
    if (cause instanceof ShoalError) {
      if (cause.code === 'ERR_CONFIG_DIR_LOCKED') noteRefused(dir);
      throw cause;
    }
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ShoalError('ERR_STORE_IO', `cannot put a socket into ${dir}: ${why}`, { cause });
  } finally {
    rmSync(own, { force: true });
  }
}

/** A link, unlike a rename, never replaces what is there. */
function linked(own: string, path: string): boolean {
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    throw error;
  }
}

async function removeStale(dir: string, path: string): Promise<void> {
  if (await isLive(path)) throw locked(dir);
  const aside = join(dir, `s-${randomBytes(4).toString('hex')}`);
  try {
    renameSync(path, aside);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return;
    throw error;
  }
  // Another daemon may have taken the name between the look and the rename: give it back.
  const live = await isLive(aside);
  if (live) linked(aside, path);
  rmSync(aside, { force: true });
  if (live) throw locked(dir);
}

function isLive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    // A full backlog (EAGAIN) and missing rights (EACCES) are signs of life.
    socket.on('error', (error) => resolve(!isErrno(error, 'ECONNREFUSED') && !isErrno(error, 'ENOENT')));
  });
}

function release(path: string, ino: number): void {
  if (statSync(path, { throwIfNoEntry: false })?.ino === ino) rmSync(path, { force: true });
}

function locked(dir: string): ShoalError {
  return new ShoalError('ERR_CONFIG_DIR_LOCKED', `another daemon uses the directory ${dir}`, {
    details: { dir },
  });
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
