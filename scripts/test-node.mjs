#!/usr/bin/env node
/*
 * Runs the tests, or a command, on another Node:
 *   npm run test:node -- 24 [options of vitest]
 *   npm run test:node -- 24 --exec COMMAND…
 * The binary comes from npm and stays in node_modules/.cache. Plain JavaScript: it runs on any Node.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const SYSTEMS = ['linux-x64', 'linux-arm64'];
const USAGE =
  'usage: npm run test:node -- VERSION [options of vitest | --exec COMMAND…], such as 20, 22, 24 or 26';

function fail(text) {
  console.error(text);
  process.exit(1);
}

function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (error) fail(`${command}: ${error.message}`);
  return status ?? 1;
}

const [version, ...rest] = process.argv.slice(2);
if (!/^\d+(\.\d+){0,2}$/.test(version ?? '')) fail(USAGE);

/** The folder of a Node of the version: the one that runs this, where it is, else one of npm's. */
function folderOfNode() {
  if (`${process.versions.node}.`.startsWith(`${version}.`)) return dirname(process.execPath);
  const system = `${process.platform}-${process.arch}`;
  if (!SYSTEMS.includes(system)) {
    fail(
      `npm has Node for ${SYSTEMS.join(' and ')}, and this is ${system}: install it, and run npm test on it`,
    );
  }
  const folder = join(root, 'node_modules', '.cache', 'shoal-node', version);
  const bin = join(folder, 'node_modules', `node-${system}`, 'bin');
  if (existsSync(join(bin, 'node'))) return bin;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  const args = [
    '--no-audit',
    '--no-fund',
    '--no-package-lock',
    '--ignore-scripts',
    `node-${system}@${version}`,
  ];
  if (run('npm', ['install', ...args], { cwd: folder }) !== 0)
    fail(`npm gave no Node ${version} for ${system}`);
  return bin;
}

const bin = folderOfNode();
// All that is started by name finds this Node first: the tests start daemons and scripts.
const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` };
const node = join(bin, 'node');
run(node, ['--version']);
const [flag, command, ...args] = rest;
if (flag === '--exec') {
  if (command === undefined) fail(USAGE);
  process.exitCode = run(command, args, { env });
} else {
  const prepared = run(node, ['scripts/prepare.mjs', 'nats', 'shells', 'rules'], { env });
  if (prepared !== 0) process.exit(prepared);
  process.exitCode = run(node, ['node_modules/vitest/vitest.mjs', 'run', ...rest], { env });
}
