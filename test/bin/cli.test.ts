import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test, vi } from 'vitest';
import type { HostControl } from '../../admin/control.ts';
import { taskHistorySchema } from '../../admin/control.ts';
import { startAdmin } from '../../admin/server.ts';
import { downloadResultSchema } from '../../core/download.ts';
import { ERRORS, type ErrorCode, ShoalError } from '../../core/errors.ts';
import { silentLogger } from '../../core/logger.ts';
import { shownId } from '../../core/short-id.ts';
import { explanationSchema } from '../../core/swarm-rows.ts';
import { fakeControl, RESULT, STATUS, TASK } from '../admin/fake-control.ts';
import { type Ran, ROOT, SHOAL, startCommand } from '../support/child.ts';
import { tempDir } from '../support/temp-dir.ts';

const CONTENT = 'abcdef';
const URL_ = 'http://origin.example/file';

beforeAll(() => expect(existsSync(join(ROOT, 'dist/shoal.cjs'))).toBe(true));

function shoal(...args: string[]): Promise<Ran> {
  return startCommand([...SHOAL, ...args]).done;
}

/** A directory with a daemon in it whose cache holds the content. */
async function daemon(overrides: Partial<HostControl> = {}) {
  const temp = await tempDir();
  const dir = join(temp.path, 'daemon');
  const out = join(temp.path, 'out');
  mkdirSync(dir);
  mkdirSync(out);
  const path = join(dir, 'cached');
  writeFileSync(path, CONTENT);
  const get = vi.fn<HostControl['get']>(async () => ({ ...RESULT, path }));
  const control = fakeControl({ get, ...overrides });
  const admin = await startAdmin({ dir, control, logger: silentLogger });
  return {
    dir,
    out,
    file: join(out, 'file'),
    path,
    get,
    async [Symbol.asyncDispose]() {
      await admin[Symbol.asyncDispose]();
      await temp[Symbol.asyncDispose]();
    },
  };
}

const failing = (code: ErrorCode) => ({ get: () => Promise.reject(new ShoalError(code, 'no luck')) });

test('help names every command, and each shows examples', async () => {
  const { code, stdout } = await shoal('--help');
  expect(code).toBe(0);
  for (const name of [
    'up',
    'scheduler',
    'seed',
    'peer',
    'get',
    'import',
    'export',
    'stat',
    'verify',
    'cache',
    'status',
    'task',
    'host',
    'doctor',
    'events',
    'preheat',
    'pin',
    'evict',
    'job',
    'configure',
    'proxy',
    'image',
    'auth',
    'gateway',
    'token',
    'kubernetes',
  ]) {
    expect(stdout).toMatch(new RegExp(`^ {2}${name}\\b`, 'm'));
  }
  const commands = [
    ['up'],
    ['scheduler'],
    ['scheduler', 'ls'],
    ['seed'],
    ['peer'],
    ['get'],
    ['import'],
    ['export'],
    ['stat'],
    ['verify'],
    ['cache', 'ls'],
    ['cache', 'rm'],
    ['cache', 'prune'],
    ['cache', 'scrub'],
    ['status'],
    ['task', 'ls'],
    ['task', 'show'],
    ['task', 'rm'],
    ['host', 'ls'],
    ['preheat'],
    ['pin'],
    ['evict'],
    ['job', 'ls'],
    ['job', 'show'],
    ['job', 'watch'],
    ['job', 'cancel'],
    ['configure', 'containerd'],
    ['configure', 'docker'],
    ['proxy', 'ca'],
    ['auth', 'init'],
    ['auth', 'add'],
    ['auth', 'rotate'],
    ['gateway'],
    ['token', 'create'],
    ['token', 'ls'],
    ['token', 'revoke'],
    ['image', 'ls'],
    ['events'],
    ['doctor'],
    ['kubernetes', 'accounts'],
    ['kubernetes', 'configure-node'],
    ['kubernetes', 'restore-node'],
  ];
  for (const ran of await Promise.all(commands.map((command) => shoal(...command, '--help')))) {
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining('Examples:') });
  }
});

test('the version is the one of package.json', async () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  expect(await shoal('--version')).toMatchObject({ code: 0, stdout: `${version}\n` });
});

test.each([
  [['nonsense']],
  [['get']],
  [['get', 'x', '--nonsense']],
  [['get', 'ftp://origin/file']],
  [['get', URL_, '--digest', 'sha256:short']],
  [['get', URL_, '--header', 'no colon']],
  [['get', URL_, '--timeout', 'soon']],
  [['peer', '--data-port', '70000']],
  [['seed', '--cache-size', '20M', '--dir', '/tmp/none']],
  [['scheduler', '--nats', 'http://x']],
  [['scheduler', '--config', '/nowhere.yaml']],
  [['events', 'nonsense']],
  [['preheat']],
  [['preheat', 'http://me:secret@origin/file']],
  [['preheat', 'ftp://origin/file']],
  [['preheat', 'sha256:short']],
  [['preheat', URL_, '--count', '0']],
  [['preheat', URL_, '--copies', '2']],
  [['pin', URL_, '--copies', '0']],
  [['pin', URL_, '--cron', '* * * * *']],
  [['evict', URL_, '--priority', '10']],
  [['job']],
  [['job', 'ls', '--state', 'odd']],
  [['preheat', URL_, '--label', 'nonsense']],
  [['preheat', URL_, '--timeout', 'soon']],
  [['proxy', 'ca']],
  [['token', 'create', 'ci', '--scope', 'everything']],
  [['token', 'create', 'two words']],
  [['token', 'create', 'ci', '--expires', 'soon']],
  [['gateway', '--gateway-cert', 'alone.pem']],
  [['task']],
])('what is used wrongly ends with 2: %j', async (args) => {
  const { code, stdout, stderr } = await shoal(...args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).not.toBe('');
});

test('without a daemon an error says what, why and what to do', async () => {
  const { code, stderr } = await shoal('status', '--dir', '/tmp/shoal-none');
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /^error: no daemon listens at .*\(ERR_DAEMON_UNAVAILABLE\)\n {2}why: .*\n {2}fix: .*\n$/,
  );
  const asJson = await shoal('status', '--dir', '/tmp/shoal-none', '--json');
  expect(JSON.parse(asJson.stderr).error.code).toBe('ERR_DAEMON_UNAVAILABLE');
});

test('reading commands print tables, and JSON where asked', async () => {
  const host = {
    hostId: STATUS.hostId,
    ip: '10.0.0.7',
    port: 7400,
    role: 'seed',
    version: '1',
    aliveAgoMs: 900,
    uploading: 1,
    downloading: 2,
    cachedBytes: 2048,
    cachedTasks: 3,
  };
  const scheduler = {
    schedulerId: '0123456789abcdef',
    name: 'machine',
    sinceMs: Date.now() - 60_000,
    partitions: [1, 2, 7],
    epochLeast: 5,
    epoch: 9,
    guided: true,
    leaving: false,
    tasks: 4,
    hosts: 2,
    version: '1',
  };
  await using at = await daemon({
    hosts: async () => [host, { ...host, zone: 'evil\u001b[2J' }],
    schedulers: async () => [
      scheduler,
      { ...scheduler, guided: false, partitions: [], epoch: 0, epochLeast: 0 },
    ],
  });
  const run = (...args: string[]) => shoal(...args, '--dir', at.dir);
  const [status, tasks, task, hosts, removed, schedulers] = await Promise.all([
    run('status'),
    run('task', 'ls'),
    run('task', 'show', TASK.taskId.replace('-', ':')),
    run('host', 'ls'),
    run('task', 'rm', TASK.taskId),
    run('scheduler', 'ls'),
  ]);
  expect(status?.stdout).toContain('nats://127.0.0.1:4222 (connected)');
  expect(tasks?.stdout).toContain(shownId(TASK.taskId));
  expect(task?.stdout).toContain('no holder yet 6 B');
  expect(hosts?.stdout).toContain('10.0.0.7:7400');
  expect(hosts?.stdout).not.toContain('\u001b');
  expect(removed?.stdout).toBe('removed from 2 hosts\n');
  expect(schedulers?.stdout).toMatch(/0123456789ab +machine +serving +3 +4 +2 +1 min/);
  expect(schedulers?.stdout).toMatch(/no store +0 /);
  const shown = await Promise.all([
    run('status', '--json'),
    run('task', 'ls', '--json'),
    run('task', 'show', TASK.taskId, '--json'),
    run('host', 'ls', '--json'),
    run('scheduler', 'ls', '--json'),
  ]);
  expect(shown.map(({ stdout }) => JSON.parse(stdout))).toMatchObject([
    STATUS,
    [{ taskId: TASK.taskId }],
    TASK,
    [host, host],
    [scheduler, { guided: false }],
  ]);
});

test('explain and task history print what they were told, and JSON of their schema', async () => {
  const explain = vi.fn(fakeControl().explain);
  await using at = await daemon({ explain });
  const digest = TASK.taskId.replace('-', ':').toUpperCase();
  const host = 'A'.repeat(32);
  const [told, json, history, logged] = await Promise.all([
    shoal('explain', digest, '--dir', at.dir),
    shoal('explain', TASK.taskId, '--host', host, '--json', '--dir', at.dir),
    shoal('task', 'history', digest, '--dir', at.dir),
    shoal('task', 'history', TASK.taskId, '--json', '--dir', at.dir),
  ]);
  expect(told).toMatchObject({ code: 0, stdout: expect.stringContaining(TASK.taskId) });
  expect(explanationSchema.parse(JSON.parse(json.stdout)).taskId).toBe(TASK.taskId);
  expect(explain).toHaveBeenCalledWith(TASK.taskId, host.toLowerCase());
  expect(history).toMatchObject({ code: 0, stdout: expect.stringContaining('of 1 piece') });
  expect(taskHistorySchema.parse(JSON.parse(logged.stdout)).taskId).toBe(TASK.taskId);
});

test('a task nobody knows ends with 3', async () => {
  await using at = await daemon();
  expect(await shoal('task', 'show', `url-${'0'.repeat(64)}`, '--dir', at.dir)).toMatchObject({ code: 3 });
});

test('get puts the file in place and says where its bytes came from', async () => {
  await using at = await daemon();
  const { code, stdout, stderr } = await shoal('get', URL_, '-o', at.file, '--dir', at.dir);
  expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
  expect(readFileSync(at.file, 'utf8')).toBe(CONTENT);
  expect(statSync(at.path).nlink).toBe(1);
  expect(readdirSync(at.out)).toEqual(['file']);
  expect(stderr).toBe(
    'got 6 B in 12 ms (500 B/s): 0 B from the origin, 6 B from 1 peer, 0 B local; links 12 ms; sha256 verified\n',
  );
});

test('get passes on what it was asked, and prints one JSON object', async () => {
  await using at = await daemon();
  const digest = RESULT.digest ?? '';
  const flags = [
    '--digest',
    digest.toUpperCase(),
    '--header',
    'X-Key:  secret ',
    '--no-origin',
    '--max-stale',
    '1m',
    '--json',
  ];
  const { code, stdout, stderr } = await shoal('get', URL_, '-o', at.file, '--dir', at.dir, ...flags);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(at.get).toHaveBeenCalledWith(
    { resource: URL_, digest, headers: { 'x-key': 'secret' }, noOrigin: true, maxStaleMs: 60_000 },
    expect.anything(),
    expect.anything(),
  );
  const result = JSON.parse(stdout);
  expect(downloadResultSchema.parse(result)).toMatchObject({ taskId: RESULT.taskId, length: 6 });
  expect(result).toMatchObject({ output: at.file, via: 'daemon' });
});

test('get without an output prints the path in the cache', async () => {
  await using at = await daemon();
  expect(await shoal('get', URL_, '--dir', at.dir, '--quiet')).toMatchObject({
    code: 0,
    stdout: `${at.path}\n`,
    stderr: '',
  });
});

test('get streams to standard output', async () => {
  await using at = await daemon();
  expect(await shoal('get', URL_, '-o', '-', '--dir', at.dir)).toMatchObject({ code: 0, stdout: CONTENT });
});

test.each([
  ['ERR_SOURCE_NOT_FOUND', 3],
  ['ERR_DIGEST_MISMATCH', 4],
  ['ERR_SOURCE_REFUSED', 5],
  ['ERR_STORE_FULL', 6],
  ['ERR_SOURCE_UNAVAILABLE', 75],
] as const)('%s ends a get with %d, and leaves no file', async (error, exit) => {
  await using at = await daemon(failing(error));
  const { code, stderr } = await shoal('get', URL_, '-o', at.file, '--dir', at.dir);
  expect(code).toBe(exit);
  expect(stderr).toBe(`error: no luck (${error})\n  fix: ${ERRORS[error].fix}\n`);
  expect(readdirSync(at.out)).toEqual([]);
});

test('an output that cannot be is refused before the daemon is asked', async () => {
  await using at = await daemon();
  for (const path of [at.out, join(at.out, 'none/file')]) {
    expect(await shoal('get', URL_, '-o', path, '--dir', at.dir)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('ERR_OUTPUT'),
    });
  }
  expect(at.get).not.toHaveBeenCalled();
});

/** A daemon whose downloads never end, and tell when they began and were given up. */
function endless() {
  const seen: string[] = [];
  const wait = (signal: AbortSignal) =>
    new Promise<never>((_resolve, reject) => {
      seen.push('began');
      signal.addEventListener('abort', () => {
        seen.push('given up');
        reject(signal.reason as Error);
      });
    });
  const control: Partial<HostControl> = {
    get: (_request, _onProgress, signal) => wait(signal),
    async *stream(_request, onResult, signal) {
      onResult(RESULT);
      yield Buffer.from('abc');
      yield await wait(signal);
    },
  };
  return { seen, control };
}

test.each([['file'], ['stream']])(
  'a get to a %s that takes longer than its --timeout ends with 124',
  async (kind) => {
    const { seen, control } = endless();
    await using at = await daemon(control);
    const output = kind === 'file' ? at.file : '-';
    const { code, stderr } = await shoal('get', URL_, '-o', output, '--dir', at.dir, '--timeout', '2s');
    expect(code).toBe(124);
    expect(stderr).toContain('not done in 2 s');
    expect(readdirSync(at.out)).toEqual([]);
    await vi.waitFor(() => expect(seen).toEqual(['began', 'given up']));
  },
);

test.each(['SIGINT', 'SIGTERM'] as const)(
  '%s ends a get with 130, gives it up at the daemon and leaves no file',
  async (signal) => {
    const { seen, control } = endless();
    await using at = await daemon(control);
    const run = startCommand([...SHOAL, 'get', URL_, '-o', at.file, '--dir', at.dir]);
    await vi.waitFor(() => expect(seen).toEqual(['began']));
    run.signal(signal);
    expect((await run.done).code).toBe(130);
    expect(readdirSync(at.out)).toEqual([]);
    await vi.waitFor(() => expect(seen).toEqual(['began', 'given up']));
  },
);

test('a checkout that is not built says so', async () => {
  await using dir = await tempDir();
  mkdirSync(join(dir.path, 'bin'));
  cpSync(join(ROOT, 'bin/shoal'), join(dir.path, 'bin/shoal'));
  writeFileSync(join(dir.path, 'package.json'), '{"type":"module"}');
  const ran = await startCommand([process.execPath, join(dir.path, 'bin/shoal'), '--help']).done;
  expect(ran).toMatchObject({ code: 1, stderr: expect.stringContaining('npm run build') });
});
