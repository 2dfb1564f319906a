import { homedir } from 'node:os';
import { join } from 'node:path';
import { findCommand } from '../../scripts/ensure-system.mjs';
import { run } from './child.ts';
import { madeOnce } from './test-cache.ts';

const GO_FOLDERS = ['/usr/local/go/bin', '/usr/lib/go/bin'];
/** How long it may take to build all that there is to build, ms. */
export const GO_INSTALL_MS = 1_800_000;

/** The go command; undefined where there is none. */
export function goProgram(): string | undefined {
  return findCommand('go', GO_FOLDERS);
}

/** Says so loudly that nobody takes it for tried. */
export function sayMissing(what: string): void {
  console.error(`\n*** ${what}: NOT TRIED. It is not here, and there is no Go to build it with ***\n`);
}

/** The folder with the programs of these packages, each `PATH@VERSION`, built where they are missing; undefined without Go. */
export async function goInstalled(name: string, packages: readonly string[]): Promise<string | undefined> {
  const go = goProgram();
  if (go === undefined) return undefined;
  return madeOnce(name, async (dir) => {
    const set = [`GOBIN=${dir}`, 'GOFLAGS=-buildvcs=false', 'CGO_ENABLED=0'];
    for (const one of packages) await run(['env', ...set, go, 'install', one], GO_INSTALL_MS);
  });
}

/** The path of a program, found or built; undefined where it is not here and cannot be built. */
export async function goClient(name: string, module: string): Promise<string | undefined> {
  const found = findCommand(name, [join(homedir(), 'go/bin')]);
  if (found !== undefined) return found;
  const dir = await goInstalled(`${name}-${module.split('@').at(-1)}`, [module]);
  return dir && join(dir, name);
}
