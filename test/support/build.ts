import { spawnSync } from 'node:child_process';
import { readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './child.ts';

const SOURCES = [
  'core',
  'scheduling',
  'machines',
  'actors',
  'transport',
  'storage',
  'dataplane',
  'origins',
  'proxy',
  'gateway',
  'admin',
  'app',
  'bin',
];

/** Builds dist/ before the tests that run the command line, where a source is newer than the last build. */
export function setup(): void {
  const stamp = join(ROOT, 'dist', '.built');
  const builtMs = statSync(stamp, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const started = new Date();
  if (SOURCES.every((folder) => newestMs(join(ROOT, folder)) < builtMs)) return;
  const built = spawnSync(process.execPath, ['scripts/build.mjs'], { cwd: ROOT, encoding: 'utf8' });
  if (built.status !== 0) throw new Error(`the build failed:\n${built.stderr}`);
  writeFileSync(stamp, '');
  utimesSync(stamp, started, started);
}

function newestMs(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return Math.max(0, ...files.map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs));
}
