import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** A folder outside of the checkout that is made once on a machine, whole or not at all. */
export async function madeOnce(name: string, make: (dir: string) => Promise<unknown>): Promise<string> {
  const dir = join(homedir(), '.cache/shoal-tests', name);
  if (existsSync(dir)) return dir;
  const draft = `${dir}.${process.pid}`;
  mkdirSync(draft, { recursive: true });
  try {
    await make(draft);
    rmSync(dir, { recursive: true, force: true });
    renameSync(draft, dir);
    return dir;
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}
