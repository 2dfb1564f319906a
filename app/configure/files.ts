import { createHash, randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, chmod, lstat, mkdir, open, readFile, realpath, rename, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { ShoalError } from '../../core/errors.ts';
import { conflict, type Memory } from './edit.ts';

/** Beyond this a configuration file is not read, bytes. */
const MAX_BYTES = 1024 * 1024;
const NEW_FILE_MODE = 0o644;
const NEW_DIR_MODE = 0o755;

const rememberedSchema = z.object({
  about: z.string(),
  original: z.string().nullable(),
  wrote: z.string(),
  ours: z.record(z.string(), z.unknown()),
  madeDirs: z.array(z.string()),
});

/** What lies beside a changed file so that the change can be taken back. */
interface Remembered extends Memory {
  /** SHA-256 of the text that was written, hex. */
  readonly wrote: string;
  /** Directories that were made for the file, outermost first. */
  readonly madeDirs: readonly string[];
}

/** A file as it is found. */
export interface FoundFile {
  /** Behind all symbolic links. */
  readonly path: string;
  /** `undefined`: there is no such file. */
  readonly text: string | undefined;
  readonly memory: Remembered | undefined;
  /** Whether the text is the one that was written, untouched. */
  readonly untouched: boolean;
  readonly owner: { readonly mode: number; readonly uid: number; readonly gid: number } | undefined;
}

/** Reads a file and what is remembered of it. @throws ERR_CONFIG_DENIED, ERR_CONFIG_CONFLICT */
export async function findFile(asked: string): Promise<FoundFile> {
  const path = await behindLinks(resolve(asked));
  const { text, owner } = await readPlain(path);
  const memory = await readMemory(path);
  const untouched = text !== undefined && memory?.wrote === sha256(text);
  return { path, text, memory, untouched, owner };
}

/** The text of a file, or `undefined` where there is none. @throws ERR_CONFIG_DENIED, ERR_CONFIG_CONFLICT */
export async function readText(path: string): Promise<string | undefined> {
  return (await readPlain(path)).text;
}

/** Fails where a file could not be written or removed, before anything is. @throws ERR_CONFIG_DENIED */
export async function checkWritable(path: string): Promise<void> {
  for (let dir = dirname(path); ; dir = dirname(dir)) {
    try {
      await access(dir, constants.W_OK | constants.X_OK);
      return;
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' || dir === dirname(dir))
        throw fileError(error, `cannot write in ${dir}`);
    }
  }
}

/** Writes what a file is to become, and how to take it back, `dirs` that were once made for it included. @throws ERR_CONFIG_DENIED, ERR_STORE_FULL, ERR_OUTPUT */
export async function writeChange(
  found: FoundFile,
  text: string,
  memory: Memory,
  dirs: readonly string[] = [],
): Promise<void> {
  try {
    const made = await makeDirs(dirname(found.path));
    const remembered = {
      about: 'Written by `shoal configure`; `shoal configure … --undo` reads and removes this file.',
      original: memory.original,
      wrote: sha256(text),
      ours: memory.ours,
      madeDirs: [...new Set([...(found.memory?.madeDirs ?? []), ...dirs, ...made])],
    };
    // First, so that a run cut off here can still be taken back.
    await replace(memoryOf(found.path), `${JSON.stringify(remembered, null, 2)}\n`, found.owner);
    if (text !== found.text) await replace(found.path, text, found.owner);
  } catch (error) {
    throw fileError(error, `cannot write ${found.path}`);
  }
}

/** Puts a file back to a text of its own, or to nothing, and forgets the change; returns the directories made for it. @throws ERR_CONFIG_DENIED, ERR_STORE_FULL, ERR_OUTPUT */
export async function writeBack(found: FoundFile, text: string | undefined): Promise<readonly string[]> {
  try {
    if (text === undefined) await rm(found.path, { force: true });
    else if (text !== found.text) await replace(found.path, text, found.owner);
    await rm(memoryOf(found.path), { force: true });
    return text === undefined ? (found.memory?.madeDirs ?? []) : [];
  } catch (error) {
    throw fileError(error, `cannot put ${found.path} back`);
  }
}

/** Removes those of these directories that are empty, the deepest first. */
export async function removeEmpty(dirs: readonly string[]): Promise<void> {
  const deepest = [...new Set(dirs)].sort((left, right) => right.length - left.length);
  for (const dir of deepest) await rmdir(dir).catch(() => undefined);
}

function memoryOf(path: string): string {
  return `${path}.shoal-undo`;
}

async function behindLinks(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw fileError(error, `cannot read ${path}`);
  }
  const link = await lstat(path).catch(() => undefined);
  if (link?.isSymbolicLink()) throw conflict(path, 'it is a symbolic link to nothing');
  const dir = dirname(path);
  return dir === path ? path : join(await behindLinks(dir), basename(path));
}

async function readPlain(path: string): Promise<Pick<FoundFile, 'text' | 'owner'>> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const { mode, uid, gid, size, ...kind } = await file.stat().then((stat) => ({
        mode: stat.mode & 0o7777,
        uid: stat.uid,
        gid: stat.gid,
        size: stat.size,
        file: stat.isFile(),
      }));
      if (!kind.file) throw conflict(path, 'it is not a plain file');
      if (size > MAX_BYTES) throw conflict(path, `it is larger than ${MAX_BYTES} bytes`);
      return { text: decode(path, await file.readFile()), owner: { mode, uid, gid } };
    } finally {
      await file.close();
    }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return { text: undefined, owner: undefined };
    throw fileError(error, `cannot read ${path}`);
  }
}

/** Only what decodes without loss can be put back byte for byte. */
function decode(path: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw conflict(path, 'it is not UTF-8 text', cause);
  }
}

async function readMemory(path: string): Promise<Remembered | undefined> {
  const text = await readFile(memoryOf(path), 'utf8').catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw fileError(error, `cannot read ${memoryOf(path)}`);
  });
  if (text === undefined) return undefined;
  try {
    return rememberedSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw conflict(memoryOf(path), 'it is damaged, so that it is not known what was there before', cause);
  }
}

/** Puts a text in a file's place at once; others see the old or the new, with the same mode and owner. */
async function replace(path: string, text: string, owner: FoundFile['owner']): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
  const file = await open(temporary, 'wx', 0o600);
  try {
    try {
      await file.writeFile(text);
      if (owner !== undefined) {
        const { uid, gid } = await file.stat();
        if (uid !== owner.uid || gid !== owner.gid) await file.chown(owner.uid, owner.gid);
      }
      await file.chmod(owner?.mode ?? NEW_FILE_MODE);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Makes a directory and those above it; returns what was made, outermost first. */
async function makeDirs(dir: string): Promise<string[]> {
  const missing: string[] = [];
  for (let at = dir; ; at = dirname(at)) {
    const there = await lstat(at).catch(() => undefined);
    if (there !== undefined || at === dirname(at)) break;
    missing.unshift(at);
  }
  for (const at of missing) {
    await mkdir(at);
    // Whatever the umask: the clients may run as somebody else.
    await chmod(at, NEW_DIR_MODE);
  }
  return missing;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function fileError(error: unknown, what: string): unknown {
  const code = errnoOf(error);
  if (error instanceof ShoalError || code === undefined) return error;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new ShoalError('ERR_STORE_FULL', `${what}: no space left`, { cause: error });
  }
  const denied = code === 'EACCES' || code === 'EPERM' || code === 'EROFS';
  return new ShoalError(denied ? 'ERR_CONFIG_DENIED' : 'ERR_OUTPUT', `${what}: ${code}`, { cause: error });
}

function errnoOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}
