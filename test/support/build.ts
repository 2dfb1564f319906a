import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
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
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
  const built = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.build.json'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  // A type error is for `npm run check` to tell; what was emitted runs.
  if (!existsSync(join(ROOT, 'dist/bin/shoal.js'))) throw new Error(`the build failed:\n${built.stdout}`);
  writeFileSync(stamp, '');
  utimesSync(stamp, started, started);
}

function newestMs(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return Math.max(0, ...files.map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs));
}
