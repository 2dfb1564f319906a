import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

const PLANES = ['transport', 'dataplane', 'origins', 'storage'];
const BELOW_ACTORS = ['core', 'scheduling', 'machines', ...PLANES];
const BELOW_APP = [...BELOW_ACTORS, 'actors', 'admin', 'gateway', 'proxy'];

/**
 * What the files of a folder may import, beside their own folder. The longest prefix of a path is its folder: `actors`
 * are the files that lie in it directly, and `proxy` as a target means all that is below it.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  scheduling: ['core'],
  machines: ['core', 'scheduling'],
  transport: ['core'],
  dataplane: ['core'],
  origins: ['core'],
  storage: ['core'],
  actors: BELOW_ACTORS,
  'actors/jobs': [...BELOW_ACTORS, 'actors/*'],
  'actors/scheduler': [...BELOW_ACTORS, 'actors/*'],
  'actors/host': [...BELOW_ACTORS, 'actors/*'],
  'actors/client': [...BELOW_ACTORS, 'actors/*', 'actors/host'],
  admin: BELOW_ACTORS.concat('actors'),
  proxy: [...BELOW_ACTORS, 'actors', 'admin'],
  gateway: ['core', 'transport', 'actors/client', 'actors/jobs'],
  app: BELOW_APP,
  web: [],
  sim: BELOW_APP,
  bin: [...BELOW_APP, 'app', 'sim/light'],
};

export interface Import {
  readonly from: string;
  readonly to: string;
}

/** Imports between files of Shoal, of types too, as paths from the root. */
export function importsOf(path: string, text: string): Import[] {
  const specifiers = text.matchAll(/\b(?:from|import)\s*\(?\s*'(\.{1,2}\/[^'\n]+)'/g);
  return [...specifiers].map(([, specifier = '']) => ({
    from: path,
    to: posix.normalize(posix.join(posix.dirname(path), specifier)),
  }));
}

function folderOf(path: string): string | undefined {
  const folders = Object.keys(MAY_IMPORT).filter((folder) => path.startsWith(`${folder}/`));
  return folders.sort((a, b) => b.length - a.length)[0];
}

function isWithin(path: string, target: string): boolean {
  if (target.endsWith('/*')) return posix.dirname(path) === target.slice(0, -2);
  return path.startsWith(`${target}/`);
}

/** Imports against the arrows: `core ← scheduling ← machines ← actors → planes`, `proxy, admin → actors`, `app → all`. */
export function forbidden(imports: readonly Import[]): Import[] {
  return imports.filter(({ from, to }) => {
    const folder = folderOf(from);
    if (folder === undefined) return false;
    const own = folder === 'actors' ? 'actors/*' : folder;
    return ![own, ...(MAY_IMPORT[folder] ?? [])].some((target) => isWithin(to, target));
  });
}

/** Files that import each other in a circle, each circle once; a type is an import too. */
export function circles(imports: readonly Import[]): string[][] {
  const targets = new Map<string, string[]>();
  for (const { from, to } of imports) targets.set(from, [...(targets.get(from) ?? []), to]);
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const found: string[][] = [];
  // Tarjan's strongly connected components.
  const visit = (path: string): void => {
    index.set(path, index.size);
    low.set(path, index.get(path) ?? 0);
    stack.push(path);
    for (const next of targets.get(path) ?? []) {
      if (!index.has(next)) visit(next);
      if (stack.includes(next)) low.set(path, Math.min(low.get(path) ?? 0, low.get(next) ?? 0));
    }
    if (low.get(path) !== index.get(path)) return;
    const circle = stack.splice(stack.indexOf(path));
    if (circle.length > 1 || targets.get(path)?.includes(path)) found.push(circle.sort());
  };
  for (const path of targets.keys()) if (!index.has(path)) visit(path);
  return found;
}

function all(): Import[] {
  const listed = execFileSync(
    'git',
    ['ls-files', '--cached', '--others', '--exclude-standard', '*.ts', '*.mts'],
    {
      cwd: ROOT,
      encoding: 'utf8',
    },
  );
  return listed
    .split('\n')
    .filter((path) => path !== '')
    .flatMap((path) => {
      try {
        return importsOf(path, readFileSync(posix.join(ROOT, path), 'utf8'));
      } catch {
        return [];
      }
    });
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const imports = all();
  const wrong = forbidden(imports);
  const rings = circles(imports);
  for (const { from, to } of wrong) console.error(`${from} may not import ${to} (scripts/check-imports.ts)`);
  for (const ring of rings) console.error(`a circle of imports:\n  ${ring.join('\n  ')}`);
  if (wrong.length + rings.length > 0) process.exitCode = 1;
  else console.log(`${imports.length} imports: none against the arrows, no circle`);
}
