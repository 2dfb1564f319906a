#!/usr/bin/env node
/*
 * Makes a checkout ready to run: npm packages, the build, system packages.
 *   node scripts/prepare.mjs [nats|shells|acceptance|compose|images ...]
 * Plain JavaScript without dependencies, since on a fresh clone there are none yet.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureSystem } from './ensure-system.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(join(root, file), 'utf8')).packages ?? {};
  } catch {
    return {};
  }
}

/** Whether node_modules has every package of the lock file at its version; optional ones depend on the machine. */
function installed() {
  const there = readPackages('node_modules/.package-lock.json');
  return Object.entries(readPackages('package-lock.json')).every(
    ([path, entry]) => path === '' || entry.optional || there[path]?.version === entry.version,
  );
}

function npm(args) {
  const run = spawnSync('npm', args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 });
  if (run.status === 0) return;
  console.error(
    `npm ${args.join(' ')} failed:\n${run.stdout ?? ''}${run.stderr ?? run.error?.message ?? ''}`,
  );
  process.exit(1);
}

if (!installed()) {
  console.error('installing npm packages (npm ci)');
  npm(['ci', '--ignore-scripts', '--no-audit', '--no-fund']);
}
npm(['run', '--silent', 'build']);
for (const purpose of process.argv.slice(2)) {
  const problem = ensureSystem(purpose);
  if (problem === undefined) continue;
  console.error(problem);
  process.exit(1);
}
