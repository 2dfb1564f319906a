import { chmodSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Makes a directory and what is missing above it. Node's own recursive way never ends where a parent can neither be
 * found nor made, as below `/proc`.
 * @throws the file system's error
 */
export function makeDir(path: string, mode = 0o777): void {
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && statSync(path).isDirectory()) return;
    const parent = dirname(path);
    if (code !== 'ENOENT' || parent === path) throw error;
    makeDir(parent, mode);
    mkdirSync(path, { mode });
  }
}

/**
 * Replaces a file, all or nothing. What lies at the temporary name is removed and never followed: a link planted there
 * would have a secret written elsewhere.
 * @throws the file system's error
 */
export function replaceFile(path: string, content: string | Uint8Array, mode: number): void {
  const temporary = `${path}.tmp`;
  rmSync(temporary, { force: true, recursive: true });
  writeFileSync(temporary, content, { mode, flag: 'wx' });
  // The mode of a new file is less what the umask takes.
  chmodSync(temporary, mode);
  renameSync(temporary, path);
}
