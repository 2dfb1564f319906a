import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { hostStatusSchema } from '../../admin/control.ts';
import { type Child, type Ran, run, SHOAL, startChild, startCommand, until } from '../support/child.ts';
import { digestOfFile, MIB, writeRandomFile } from '../support/files.ts';
import { startNats } from '../support/nats-server.ts';
import { startOriginServer } from '../support/origin-server.ts';
import { lastJson } from '../support/swarm.ts';
import { type TempDir, tempDir } from '../support/temp-dir.ts';

let temp: TempDir;
let at: string;

beforeEach(async () => {
  temp = await tempDir();
  at = join(temp.path, 'etc/auth');
});
afterEach(() => temp[Symbol.asyncDispose]());

const shoal = (...args: string[]): Promise<Ran> => startCommand([...SHOAL, ...args], 30_000).done;
const auth = (...args: string[]) => shoal('auth', ...args, '--at', at);
const files = (dir: string) =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(dir, join(entry.parentPath, entry.name)))
    .sort();

test('init writes a login for each role and says what to do with them; a second one changes nothing', async () => {
  const made = await auth('init');
  expect(made).toMatchObject({ code: 0, stderr: '' });
  expect(made.stdout).toContain(`nats-server -js -c ${at}/nats/auth.conf`);
  const logins = [
    'gateway/gateway.nk',
    'host/host.nk',
    'monitor/monitor.nk',
    'operator/operator.nk',
    'scheduler/scheduler.nk',
  ];
  expect(files(at)).toEqual(['accounts.json', ...logins, 'nats/auth.conf'].sort());
  for (const name of ['accounts.json', ...logins])
    expect(statSync(join(at, name)).mode & 0o777, name).toBe(0o600);
  const text = () =>
    files(at)
      .map((name) => readFileSync(join(at, name), 'utf8'))
      .join();
  const before = text();
  for (const name of logins) {
    const seed = /^SU.*$/m.exec(readFileSync(join(at, name), 'utf8'))?.[0] ?? '';
    expect(seed).toHaveLength(58);
    expect(made.stdout + readFileSync(join(at, 'nats/auth.conf'), 'utf8')).not.toContain(seed);
  }
  expect(await auth('init')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('ERR_CONFIG_CONFLICT'),
  });
  expect(await auth('init', '--if-missing')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('nothing was written'),
  });
  expect(text()).toBe(before);
});

test('with passwords and a user for each host, as JSON without a secret', async () => {
  const made = await auth('init', '--swarm', 'lab', '--with', 'passwords', '--host-users', 'each', '--json');
  const written = JSON.parse(made.stdout);
  expect(written).toMatchObject({
    action: 'made',
    swarm: 'lab',
    kind: 'passwords',
    config: `${at}/nats/auth.conf`,
  });
  expect(written.users.map(({ role }: { role: string }) => role)).toEqual([
    'scheduler',
    'operator',
    'monitor',
    'gateway',
  ]);
  expect(readFileSync(join(at, 'nats/auth.conf'), 'utf8')).toContain('"lab.v1.census"');
  expect(statSync(join(at, 'nats/auth.conf')).mode & 0o777).toBe(0o600);

  const added = JSON.parse((await auth('add', 'host', '--json')).stdout);
  const [{ name, login }] = added.users;
  expect(name).toMatch(/^[0-9a-f]{32}$/);
  const [line = ''] = readFileSync(login, 'utf8')
    .split('\n')
    .filter((text) => text.startsWith(name));
  expect(line).toMatch(/^[0-9a-f]{32}:[\w-]{43}$/);
  expect(JSON.stringify(added)).not.toContain(line.slice(33));
  expect(JSON.parse((await auth('rotate', name, '--json')).stdout)).toMatchObject({
    action: 'rotated',
    users: [{ keys: 2 }],
  });
  const dropped = await auth('rotate', name, '--drop-old');
  expect(dropped).toMatchObject({ code: 0, stdout: expect.stringContaining('nats-server --signal reload') });
});

test.each([
  [['auth']],
  [['auth', 'add', 'king']],
  [['auth', 'add', 'operator', 'a.b']],
  [['auth', 'add', 'operator']],
  [['auth', 'add', 'host', 'node7']],
  [['auth', 'rotate', 'nobody']],
  [['auth', 'rotate', 'operator', '--drop-old']],
  [['auth', 'init', '--with', 'hope']],
])('what is used wrongly ends with 2: %j', async (args) => {
  await auth('init');
  const ran = await shoal(...args, ...(args.length > 1 ? ['--at', at] : []));
  expect(ran).toMatchObject({ code: 2, stdout: '' });
  expect(ran.stderr).not.toBe('');
  if (args.includes('rotate') || args[1] === 'add') {
    const elsewhere = await shoal(...args, '--at', join(temp.path, 'nowhere'));
    expect(elsewhere.code).toBe(2);
  }
});

test('a daemon whose login is not there, or whose NATS URL is none, ends with 2', async () => {
  const dir = [
    '--dir',
    join(temp.path, 'host'),
    '--data-port',
    '0',
    '--admin-port',
    '0',
    '--proxy-port',
    '0',
  ];
  for (const command of ['peer', 'scheduler']) {
    const place = command === 'peer' ? dir : dir.slice(0, 2);
    for (const login of [
      ['--nats-nkey', '/nowhere.nk'],
      ['--nats-creds', '/nowhere.creds'],
      ['--nats', 'nats://a b'],
    ]) {
      const ran = await shoal(command, ...place, ...login);
      expect(ran, `${command} ${login.join(' ')}`).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('ERR_CONFIG_INVALID'),
      });
    }
  }
});

test('a closed swarm of processes shares a file, and only an operator removes it', async () => {
  await auth('init', '--host-users', 'each');
  const add = async () =>
    JSON.parse((await auth('add', 'host', '--json')).stdout).users[0] as { name: string; login: string };
  const hosts = [await add(), await add()];
  await using nats = await startNats({ config: `include "..${at.slice('/tmp'.length)}/nats/auth.conf"` });
  const file = join(temp.path, 'file');
  const digest = writeRandomFile(file, 9 * MIB);
  await using origin = await startOriginServer({ '/file': file });
  const daemons: Child[] = [];
  const dirOf = (name: string) => join(temp.path, name);
  const logOf = (name: string) => join(temp.path, `${name}.log`);
  const start = (name: string, command: string, login: string) => {
    mkdirSync(dirOf(name), { recursive: true });
    const flags = ['--nats', nats.url, '--nats-nkey', login, '--dir', dirOf(name), '--admin-port', '0'];
    const ports = ['--data-port', '0', '--proxy-port', '0', '--allow-origin', `127.0.0.1:${origin.port}`];
    const daemon = startChild(
      [...SHOAL, command, ...flags, ...(command === 'peer' ? ports : [])],
      logOf(name),
    );
    daemons.push(daemon);
    return daemon;
  };
  const status = async (name: string) => {
    const ran = await shoal('status', '--dir', dirOf(name), '--json');
    return ran.code === 0 ? hostStatusSchema.parse(lastJson(ran.stdout)) : undefined;
  };
  const login = (role: string) => join(at, role, `${role}.nk`);
  try {
    start('scheduler', 'scheduler', login('scheduler'));
    for (const [index, { login: own }] of hosts.entries()) start(`peer${index}`, 'peer', own);
    for (const [index, { name }] of hosts.entries()) {
      const joined = await until('the host to join', async () => {
        const known = await status(`peer${index}`);
        return known?.state === 'announced' ? known : undefined;
      });
      // It took on the id that its login is for.
      expect(joined.hostId).toBe(name);
    }
    for (const index of [0, 1]) {
      const output = join(temp.path, `out${index}`);
      await run([
        ...SHOAL,
        'get',
        origin.url('/file'),
        '--digest',
        digest,
        '-o',
        output,
        '--dir',
        dirOf(`peer${index}`),
      ]);
      expect(await digestOfFile(output)).toBe(digest);
    }
    expect(origin.bodyBytes('/file')).toBeLessThanOrEqual(9.1 * MIB);

    // Reading is for all; through a daemon too.
    const place = ['--nats', nats.url];
    expect(JSON.parse((await shoal('task', 'ls', '--json', '--dir', dirOf('peer0'))).stdout)).toHaveLength(1);
    expect(
      JSON.parse((await shoal('host', 'ls', '--json', ...place, '--nats-nkey', login('monitor'))).stdout),
    ).toHaveLength(2);
    const removing = (...how: string[]) => shoal('task', 'rm', digest, '--json', ...how);
    const denied = { code: 1, stderr: expect.stringContaining('may not remove content: give an operator') };
    expect(await removing('--dir', dirOf('peer0'))).toMatchObject(denied);
    expect(await removing(...place, '--nats-nkey', login('monitor'))).toMatchObject(denied);
    for (const none of [[], ['--nats-nkey', login('scheduler')], ['--nats-nkey', hosts[0]?.login ?? '']]) {
      const ran = await removing(...place, ...none);
      expect(ran).toMatchObject({ code: 1, stderr: expect.stringContaining('ERR_BUS_DENIED') });
      expect(ran.wallMs).toBeLessThan(5_000);
    }
    // With a login alone, the daemon beside says where NATS is.
    const removed = await removing('--dir', dirOf('peer0'), '--nats-nkey', login('operator'));
    expect(lastJson(removed.stdout)).toMatchObject({ hosts: 2 });
    await until('the caches to be empty', async () => {
      const left = await Promise.all([status('peer0'), status('peer1')]);
      return left.every((one) => one?.cache.tasks === 0) || undefined;
    });
    expect(readFileSync(logOf('peer1'), 'utf8') + readFileSync(logOf('scheduler'), 'utf8')).not.toMatch(
      /asks nobody|forbid/,
    );
  } finally {
    await Promise.all(daemons.map((daemon) => daemon.stop()));
  }
});

test('a login of one host is refused where the papers of another lie', async () => {
  await auth('init', '--host-users', 'each');
  const { login } = JSON.parse((await auth('add', 'host', '--json')).stdout).users[0];
  const dir = join(temp.path, 'host');
  mkdirSync(dir);
  const open = [
    '--dir',
    dir,
    '--data-port',
    '0',
    '--admin-port',
    '0',
    '--proxy-port',
    '0',
    '--nats',
    'nats://127.0.0.1:1',
  ];
  const first = startChild([...SHOAL, 'peer', ...open], join(temp.path, 'log'));
  await until('its papers', () => readdirSync(dir).includes('host.json') || undefined);
  await first.stop();
  const ran = await shoal('peer', ...open, '--nats-nkey', login);
  expect(ran).toMatchObject({ code: 2, stderr: expect.stringContaining('holds the papers of') });
});
