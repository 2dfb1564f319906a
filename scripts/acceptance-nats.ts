import { spawnSync } from 'node:child_process';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { findCommand } from './ensure-system.mjs';

/*
 * The acceptance of schedulers and NATS, on each nats-server: the one that is found here, and the newest there is, which
 * Go builds. `npm run acceptance:nats`, `npm run acceptance:nats -- --only newest`, `… -- FILE …`
 */
const MODULE = 'github.com/nats-io/nats-server/v2@latest';
const FILES = ['group', 'nats-restarts', 'nats-cluster', 'nats-degraded', 'schedulers-die'].map(
  (name) => `test/acceptance/swarm/${name}.test.ts`,
);
const GO_FOLDERS = ['/usr/local/go/bin', '/usr/lib/go/bin'];
const BIN = join(homedir(), '.cache/shoal/nats-newest');

/** Runs the tests with that folder first in PATH, which is where a test looks for nats-server. */
function accept(folder: string | undefined, files: readonly string[]): boolean {
  const { PATH = '' } = process.env;
  const path = folder === undefined ? PATH : `${folder}${delimiter}${PATH}`;
  const program = findCommand('nats-server', folder === undefined ? [] : [folder]) ?? 'nats-server';
  const version = spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout ?? '';
  process.stdout.write(`== ${program}, ${version.trim()}\n`);
  const command = ['vitest', 'run', '-c', 'vitest.acceptance.config.ts', ...files];
  return spawnSync('npx', command, { stdio: 'inherit', env: { ...process.env, PATH: path } }).status === 0;
}

/** Builds the newest. Returns why it cannot be, or undefined. */
function build(): string | undefined {
  const go = findCommand('go', GO_FOLDERS);
  if (go === undefined) return 'there is no Go here (https://go.dev/dl)';
  const env = { ...process.env, GOBIN: BIN, CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false' };
  const built = spawnSync(go, ['install', MODULE], { env, encoding: 'utf8' });
  return built.status === 0 ? undefined : `go install ${MODULE} failed:\n${built.stderr}`;
}

const given = process.argv.slice(2);
const only = given[0] === '--only' ? given.splice(0, 2)[1] : undefined;
const files = given.length > 0 ? given : FILES;
let isRight = true;
if (only !== 'newest') isRight = accept(undefined, files);
if (only !== 'here') {
  const missing = build();
  if (missing === undefined) isRight = accept(BIN, files) && isRight;
  else {
    process.stderr.write(`\n!!! NOT TESTED on the newest nats-server: ${missing}\n`);
    isRight = isRight && only === undefined;
  }
}
process.exitCode = isRight ? 0 : 1;
